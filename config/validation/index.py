"""What exists, by what other objects call it: the lookups behind the cross-object checks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from config.configset import ConfigSet
from config.meta import Named, ObjectKey, matches
from config.naming import shown
from config.resources.core import SERVICE_NAME_LABEL
from config.resources.workloads import Deployment
from config.suggestions import did_you_mean
from config.validation.report import ObjectReport


class Index:
    """Lookups over a ConfigSet; `broken` objects are written, but nothing is known of them."""

    def __init__(self, config_set: ConfigSet, broken: frozenset[ObjectKey]) -> None:
        self.config_set = config_set
        self._broken = broken
        self._by_label: dict[tuple[str, str, str], list[Deployment]] = defaultdict(list)
        for named, deployment in config_set.deployments.items():
            for label, value in deployment.spec.template.metadata.labels.items():
                self._by_label[named.namespace, label, value].append(deployment)
        self.services_with_endpoints = {
            Named(named.namespace, item.metadata.labels.get(SERVICE_NAME_LABEL, ""))
            for named, item in config_set.endpoint_slices.items()
        } | set(config_set.endpoints)

    def any_broken(self, kind: str, namespace: str) -> bool:
        """Whether objects of this kind are missing here only because they could not be decoded."""
        return any(key.kind == kind and key.namespace == namespace for key in self._broken)

    def is_broken(self, key: ObjectKey) -> bool:
        return key in self._broken

    def selected(self, namespace: str, selector: Mapping[str, str]) -> list[Deployment]:
        """Deployments whose pods a Service's selector picks.  An empty selector picks none."""
        buckets = [self._by_label.get((namespace, *pair), []) for pair in selector.items()]
        rarest: list[Deployment] = min(buckets, key=len, default=[])
        return [each for each in rarest if matches(dict(selector), each.spec.template.metadata.labels)]

    def nearest_label(self, namespace: str, selector: Mapping[str, str]) -> str:
        """A hint at pod labels like those of a selector that picks nothing."""
        known = {f"{label}={value}" for space, label, value in self._by_label if space == namespace}
        wrong = [f"{label}={value}" for label, value in selector.items()]
        return next((hint for text in wrong if text not in known and (hint := did_you_mean(text, known))), "")


def words_for_missing(key: ObjectKey, known: Iterable[Named]) -> str:
    """That `key` does not exist, with the name that was probably meant."""
    names = {named.name for named in known if named.namespace == key.namespace}
    elsewhere = sorted(named.namespace for named in known if named.name == key.name)
    hint = did_you_mean(key.name, names)
    if not hint and elsewhere:
        hint = f"; there is one in namespace {shown(elsewhere[0])}, and a reference stays in its own"
    return f"{key} does not exist{hint}"


def check_exists(key: ObjectKey, known: Mapping[Named, object], index: Index, path: str, report: ObjectReport) -> bool:
    """An error if `key` is neither `known` nor written with faults of its own; whether it is known."""
    if Named(key.namespace, key.name) in known:
        return True
    if not index.is_broken(key):
        report.error(path, words_for_missing(key, known))
    return False


def listed(names: Iterable[str]) -> str:
    """Names for a message, at most eight of them."""
    ordered = sorted(set(names))
    return ", ".join(ordered[:8]) + (", ..." if len(ordered) > 8 else "")
