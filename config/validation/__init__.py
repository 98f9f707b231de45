"""What no type can say: Kubernetes' own rules per object, and what objects say about each other.

Nothing here stops at the first fault and nothing here changes an object.  One module per group of kinds;
`references` and `conflicts` look at several objects at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Final, TypeVar

from config.configset import ConfigSet
from config.errors import Fault
from config.meta import Named, ObjectKey, ObjectMeta
from config.unread import Unread
from config.validation.annotations import check_annotations
from config.validation.autoscalers import check_autoscaler
from config.validation.conflicts import check_conflicts
from config.validation.endpoints import check_endpoint_slice, check_endpoints
from config.validation.index import Index, node_key
from config.validation.ingresses import check_ingress, check_ingress_class
from config.validation.metadata import HasMetadata, check_metadata
from config.validation.node import check_node, network_or_none
from config.validation.policies import check_policy
from config.validation.references import check_references
from config.validation.report import Locate, ObjectReport, Report
from config.validation.secrets import check_config_map, check_secret
from config.validation.services import RangeInForce, check_service
from config.validation.workloads import check_deployment

NO_PLATFORMS: Final[Mapping[str, bool]] = MappingProxyType({})
"""It is not known which there are."""

AnyObject = TypeVar("AnyObject", bound=HasMetadata)


class Validation:
    """The checks of `config_set`, of which something may be `unread`; an object with an error must not be used."""

    def __init__(
        self, config_set: ConfigSet, locate: Locate, unread: Unread | None = None,
        platforms: Mapping[str, bool] = NO_PLATFORMS, beneath: Collection[str] = (), *, before: ConfigSet | None = None,
    ) -> None:  # fmt: skip
        """`platforms`: those that there are, and whether they make Services of what they find; `beneath`: files that
        give way to others; `before`: what was in force, with all addresses, which it keeps."""
        self._beneath = beneath
        self._before = before
        self._platforms = platforms
        self._config_set = config_set
        self._report = Report(locate, unread)
        finding = [name for name in config_set.node.platforms if platforms.get(name)]
        self._index = Index(config_set, self._report.unread, finding)
        self._service_range = _range_in_force(config_set, self._report.of(node_key(config_set)))

    def faults(self) -> list[Fault]:
        """All faults of all objects."""
        _check_objects(self._config_set, self._service_range, self._report, self._platforms)
        check_references(self._config_set, self._index, self._report)
        check_annotations(self._config_set, self._report)
        check_conflicts(self._config_set, self._report, self._beneath, self._before)
        return self._report.faults

    def faults_of_others(self, others: ConfigSet, locate: Locate, unread: Unread) -> list[Fault]:
        """Those of objects beside the set, whose names are taken in it; what they refer to is in the set."""
        report = Report(locate, unread, self._report)
        _check_objects(others, self._service_range, report, self._platforms)
        check_references(others, self._index, report)
        return report.faults


def _check_objects(
    config_set: ConfigSet, service_range: RangeInForce, report: Report, platforms: Collection[str]
) -> None:
    """What is wrong with each object by itself."""
    node = report.of(node_key(config_set))
    if node.key.name:
        check_metadata(ObjectMeta(node.key.name), node)
    check_node(config_set.node, node, platforms)
    _each("Service", config_set.services, lambda item, about: check_service(item, about, service_range), report)
    _each("Endpoints", config_set.endpoints, check_endpoints, report)
    _each("EndpointSlice", config_set.endpoint_slices, check_endpoint_slice, report)
    _each("Secret", config_set.secrets, check_secret, report)
    _each("ConfigMap", config_set.config_maps, check_config_map, report)
    _each("Namespace", config_set.namespaces, lambda _, __: None, report)
    _each("Deployment", config_set.deployments, check_deployment, report)
    _each("Ingress", config_set.ingresses, check_ingress, report)
    _each("IngressClass", config_set.ingress_classes, check_ingress_class, report)
    _each("HorizontalPodAutoscaler", config_set.autoscalers, check_autoscaler, report)
    _each("TrafficPolicy", config_set.policies, check_policy, report)


def _range_in_force(config_set: ConfigSet, node: ObjectReport) -> RangeInForce:
    text = config_set.node.service_range.cidr
    network = network_or_none(text) if node.knows("spec.serviceRange.cidr") else None
    written = f"{node.key} in {node.where('spec.serviceRange.cidr')}" if node.key.name else "the default"
    return RangeInForce(network, f"the service range {text} ({written})")


def _each(
    kind: str, objects: Mapping[Named, AnyObject], check: Callable[[AnyObject, ObjectReport], None], report: Report
) -> None:
    for (namespace, name), item in objects.items():
        about = report.of(ObjectKey(kind, namespace, name))
        check_metadata(item.metadata, about)
        check(item, about)
