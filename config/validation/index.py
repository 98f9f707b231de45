"""What exists, by what other objects call it: the lookups behind the cross-object checks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence

from config.configset import ConfigSet
from config.meta import Named, ObjectKey, matches
from config.naming import shown
from config.resources.core import SERVICE_NAME_LABEL
from config.resources.workloads import Deployment
from config.settings import RegistrySettings
from config.suggestions import did_you_mean
from config.unread import Unread
from config.validation.report import ObjectReport, keyed

SERVICE_NAME_FIELD = keyed("metadata.labels", SERVICE_NAME_LABEL)
_NO_REGISTRY = RegistrySettings()


def node_key(config_set: ConfigSet) -> ObjectKey:
    """The NodeConfig that is in force; without a name when none was written."""
    return next((key for key in config_set.sources if key.kind == "NodeConfig"), ObjectKey("NodeConfig", "", ""))


class Index:
    """Lookups over a ConfigSet, of which something may be `unread`."""

    def __init__(self, config_set: ConfigSet, unread: Unread, finding: Sequence[str] = ()) -> None:
        """`finding`: the platforms of the node that may yet find Services which are not written."""
        self._finding = finding
        self.config_set = config_set
        self.node = node_key(config_set)
        self._unread = unread
        self._unsure: dict[tuple[str, str, str], bool] = {}
        self._by_label: dict[tuple[str, str, str], list[ObjectKey]] = defaultdict(list)
        for named, deployment in config_set.deployments.items():
            for label, value in deployment.spec.template.metadata.labels.items():
                self._by_label[named.namespace, label, value].append(ObjectKey("Deployment", *named))
        self.services_with_endpoints = {
            Named(named.namespace, item.metadata.labels.get(SERVICE_NAME_LABEL, ""))
            for named, item in config_set.endpoint_slices.items()
        } | set(config_set.endpoints)

    def is_missing(self, key: ObjectKey, known: Container[Named]) -> bool:
        """Whether the object is neither `known` nor among what could not be read."""
        return Named(key.namespace, key.name) not in known and not self._unread.may_be(key)

    def until_found(self, key: ObjectKey) -> str:
        """Who may yet find an object that is missing, as words to go on with; empty: nobody."""
        if key.kind != "Service" or not self._finding:
            return ""
        return f", but the platform {' or '.join(self._finding)} may find it: until then "

    def knows_pods(self, namespace: str) -> bool:
        """Whether the labels of all pods of a namespace could be read."""
        return not self._is_unsure("Deployment", namespace, "spec.template.metadata.labels")

    def knows_endpoints(self, service: Named) -> bool:
        """Whether all could be read that says which endpoints belong to which Service: a registry is told of others."""
        return self.config_set.node.registry == _NO_REGISTRY and not (
            self._is_unsure("EndpointSlice", service.namespace, SERVICE_NAME_FIELD)
            or self._unread.may_be(ObjectKey("Endpoints", *service))
        )

    def _is_unsure(self, kind: str, namespace: str, path: str) -> bool:
        """What `Unread.may_say` says, which takes its time when much is unread."""
        asked = kind, namespace, path
        if asked not in self._unsure:
            self._unsure[asked] = self._unread.may_say(*asked)
        return self._unsure[asked]

    def selected(self, namespace: str, selector: Mapping[str, str]) -> dict[ObjectKey, Deployment]:
        """Deployments whose pods a Service's selector picks.  An empty selector picks none."""
        buckets = [self._by_label.get((namespace, *pair), []) for pair in selector.items()]
        rarest: list[ObjectKey] = min(buckets, key=len, default=[])
        found = {key: self.config_set.deployments[Named(key.namespace, key.name)] for key in rarest}
        wanted = dict(selector)
        return {key: each for key, each in found.items() if matches(wanted, each.spec.template.metadata.labels)}

    def nearest_label(self, namespace: str, selector: Mapping[str, str]) -> str:
        """A hint at pod labels like those of a selector that picks nothing."""
        known = {f"{label}={value}" for space, label, value in self._by_label if space == namespace}
        wrong = [f"{label}={value}" for label, value in selector.items()]
        return next((hint for text in wrong if text not in known and (hint := did_you_mean(text, known))), "")


def words_for_missing(key: ObjectKey, known: Iterable[Named], so: str = "") -> str:
    """That `key` does not exist, what comes of it (`so`), and the name that was probably meant."""
    names = {named.name for named in known if named.namespace == key.namespace}
    elsewhere = sorted(named.namespace for named in known if named.name == key.name)
    hint = did_you_mean(key.name, names)
    if not hint and elsewhere:
        hint = f"; there is one in namespace {shown(elsewhere[0])}, and a reference stays in its own"
    return f"{key} does not exist{so}{hint}"


def check_exists(
    key: ObjectKey,
    known: Mapping[Named, object],
    index: Index,
    path: str,
    report: ObjectReport,
    *given: str,
    meanwhile: str = "",
) -> bool:
    """An error if there is no object of `key`; whether it is `known`.

    A warning where a platform may yet find it, with what happens `meanwhile`.
    """
    if index.is_missing(key, known):
        if until_found := index.until_found(key):
            report.warning(path, words_for_missing(key, known, until_found + meanwhile), *given)
        else:
            report.error(path, words_for_missing(key, known), *given)
    return Named(key.namespace, key.name) in known


def listed(names: Iterable[str]) -> str:
    """Names for a message, at most eight of them."""
    ordered = sorted(set(names))
    return ", ".join(ordered[:8]) + (", ..." if len(ordered) > 8 else "")
