"""What no type can say: Kubernetes' own rules per object, and what objects say about each other.

Nothing here stops at the first fault and nothing here changes an object.  One module per group of kinds;
`references` and `conflicts` look at several objects at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from config.configset import ConfigSet
from config.errors import Fault
from config.meta import Named, ObjectKey, ObjectMeta
from config.validation.endpoints import check_endpoint_slice, check_endpoints
from config.validation.metadata import check_metadata
from config.validation.report import Locate, ObjectReport, Report
from config.validation.secrets import check_config_map, check_secret
from config.validation.workloads import check_deployment


class _Object(Protocol):
    @property
    def metadata(self) -> ObjectMeta: ...


AnyObject = TypeVar("AnyObject", bound=_Object)


def validate(config_set: ConfigSet, locate: Locate, broken: frozenset[ObjectKey] = frozenset()) -> list[Fault]:
    """All faults of all objects of `config_set`.

    `broken` objects are written somewhere but could not be decoded: that they are missing here is no fault
    of those that refer to them.  Objects with an error must not be used.
    """
    report = Report(locate)
    _each("Endpoints", config_set.endpoints, check_endpoints, report)
    _each("EndpointSlice", config_set.endpoint_slices, check_endpoint_slice, report)
    _each("Secret", config_set.secrets, check_secret, report)
    _each("ConfigMap", config_set.config_maps, check_config_map, report)
    _each("Namespace", config_set.namespaces, lambda _, __: None, report)
    _each("Deployment", config_set.deployments, check_deployment, report)
    return report.faults


def _each(
    kind: str, objects: Mapping[Named, AnyObject], check: Callable[[AnyObject, ObjectReport], None], report: Report
) -> None:
    for (namespace, name), item in objects.items():
        about = report.of(ObjectKey(kind, namespace, name))
        check_metadata(item.metadata, about)
        check(item, about)
