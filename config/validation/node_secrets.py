"""The Secrets that a NodeConfig names: that they are there, and that keys of the registry can be read from them.

A Secret of a NodeConfig may be in any namespace: it is named NAME, in `default`, or NAMESPACE/NAME.
"""

from __future__ import annotations

from collections.abc import Iterator

from config.configset import ConfigSet
from config.defaults import DEFAULT_NAMESPACE
from config.meta import Named, ObjectKey
from config.naming import shown
from config.settings import NodeConfigSpec
from config.suggestions import did_you_mean
from config.tsig import read_key
from config.validation.index import Index
from config.validation.report import ObjectReport, Report

_USELESS = ": nobody can use this key"


def check_node_secrets(objects: ConfigSet, index: Index, report: Report) -> None:
    """All faults of what the NodeConfig of `objects` says about Secrets of the index."""
    key = next((key for key in objects.sources if key.kind == "NodeConfig"), None)
    if key is None:
        return
    about, secrets = report.of(key), index.config_set.secrets
    for path, written, is_key in _named(objects.node):
        namespace, _, name = written.rpartition("/")
        named = Named(namespace or DEFAULT_NAMESPACE, name)
        secret = ObjectKey("Secret", *named)
        if index.is_missing(secret, secrets):
            hint = _meant(named, index.config_set)
            about.warning(path, f"{secret} does not exist{_USELESS if is_key else ''}{hint}")
        elif is_key and named in secrets:
            _check_key(named, path, index, about)


def _named(node: NodeConfigSpec) -> Iterator[tuple[str, str, bool]]:
    """Where a Secret is named, how, and whether it is to hold a key of the registry."""
    registry, prometheus = node.registry, node.autoscaler.prometheus
    found = [(f"spec.registry.keys[{i}].secret", key.secret, True) for i, key in enumerate(registry.keys)]
    found += [
        ("spec.registry.key", registry.key, True),
        ("spec.registry.etcd.tls", registry.etcd.tls, False),
        ("spec.registry.etcd.user", registry.etcd.user, False),
        ("spec.autoscaler.prometheus.secret", prometheus.secret, False),
    ]
    return (each for each in found if each[1])


def _meant(named: Named, config_set: ConfigSet) -> str:
    """What was probably meant."""
    elsewhere = sorted(each.namespace for each in config_set.secrets if each.name == named.name)
    if elsewhere:
        return f"; there is one in namespace {shown(elsewhere[0])}: write {elsewhere[0]}/{named.name}"
    return did_you_mean(named.name, [each.name for each in config_set.secrets if each.namespace == named.namespace])


def _check_key(named: Named, path: str, index: Index, report: ObjectReport) -> None:
    if not report.knows_of(ObjectKey("Secret", *named), "data", "stringData"):
        return
    try:
        read_key(named, index.config_set.secrets)
    except ValueError as problem:
        report.warning(path, f"{problem}{_USELESS}")
