"""Which manifests a node is given: what its part in the mesh needs, and nothing that it could only lose.

NodeConfig never travels: what a node executes, and where it listens, stands in its own files.  A Deployment, and the
autoscaler of one, goes only to the nodes that run it.  A Secret goes to nodes that serve it: everywhere, if an
Ingress takes its certificate from it, a Service signs its queries with it or a TrafficPolicy verifies by it; if a
Deployment takes its environment from it, where that runs.  So the keys of the registry itself, which no such
object names, stay here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Final

import msgspec

from config.dns_source import TSIG
from config.meta import Named, ObjectKey
from config.resources.core import SERVICE_NAME_LABEL
from sidecar.channel.messages import Manifest

UNDISTRIBUTED: Final = frozenset({"NodeConfig"})
SELECTED: Final = frozenset({"Secret", "Deployment", "HorizontalPodAutoscaler"})
"""Kinds of which a node gets only some objects; it gets all of any other kind."""


class Stored:
    """A manifest, and what it says that others are needed for."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest

    @cached_property
    def secrets(self) -> frozenset[ObjectKey]:
        """The Secrets that are named in it."""
        plain = msgspec.json.decode(self.manifest.body)
        names = _SECRETS.get(self.manifest.kind, _none)(plain)
        return frozenset(ObjectKey("Secret", self.manifest.namespace, name) for name in names if name)

    @cached_property
    def services(self) -> frozenset[Named]:
        """The Services of which it tells."""
        kind, namespace, name = self.manifest.key
        if kind in {"Service", "Endpoints"}:
            return frozenset({Named(namespace, name)})
        if kind not in _OF_SERVICES:
            return frozenset()
        named = _OF_SERVICES[kind](msgspec.json.decode(self.manifest.body))
        return frozenset({Named(namespace, named)}) if named else frozenset()

    @cached_property
    def destinations(self) -> frozenset[Named]:
        """The Services that it has requests handed to."""
        if self.manifest.kind != "TrafficPolicy":
            return frozenset()
        plain = msgspec.json.decode(self.manifest.body)
        return frozenset(Named(self.manifest.namespace, name) for name in _of_field("service", plain["spec"]))

    @cached_property
    def target(self) -> str:
        """``NAMESPACE/NAME`` of the Deployment that it is, or that it scales; empty: neither."""
        if self.manifest.kind == "Deployment":
            return f"{self.manifest.namespace}/{self.manifest.name}"
        if self.manifest.kind == "HorizontalPodAutoscaler":
            named = msgspec.json.decode(self.manifest.body)["spec"]["scaleTargetRef"]
            return f"{self.manifest.namespace}/{named['name']}" if named["kind"] == "Deployment" else ""
        return ""


def selected(stored: Mapping[ObjectKey, Stored], runs: Collection[str]) -> frozenset[ObjectKey]:
    """Of the kinds in `SELECTED`, what a node gets that runs the Deployments `runs`."""
    own = {key for key, each in stored.items() if each.target and each.target in runs}
    serving: Iterable[Stored] = (each for key, each in stored.items() if key in own or key.kind in _SERVING)
    named = frozenset().union(*(each.secrets for each in serving))
    return frozenset(own) | (named & stored.keys())


def _none(_: Any) -> Iterator[str]:
    return iter(())


def _of_ingress(plain: Any) -> Iterator[str]:
    for tls in plain.get("spec", {}).get("tls", ()):
        yield tls.get("secretName", "")


def _of_service(plain: Any) -> Iterator[str]:
    yield plain["metadata"].get("annotations", {}).get(TSIG, "")


def _of_policy(plain: Any) -> Iterator[str]:
    """Those of ``tls.reencrypt``."""
    return _of_field("caSecret", plain)


def _of_field(name: str, plain: Any) -> Iterator[str]:
    """What a field says, wherever in the object it is said."""
    if isinstance(plain, dict):
        said = plain.get(name, "")
        yield said if isinstance(said, str) else ""
        plain = list(plain.values())
    if isinstance(plain, list):
        for inner in plain:
            yield from _of_field(name, inner)


def _service_of_slice(plain: Any) -> str:
    return str(plain["metadata"].get("labels", {}).get(SERVICE_NAME_LABEL, ""))


def _service_of_policy(plain: Any) -> str:
    target = plain["spec"]["targetRef"]
    return str(target["name"]) if target.get("kind") == "Service" else ""


def _of_deployment(plain: Any) -> Iterator[str]:
    pod = plain["spec"]["template"]["spec"]
    for container in (*pod.get("containers", ()), *pod.get("initContainers", ())):
        for variable in container.get("env", ()):
            yield ((variable.get("valueFrom") or {}).get("secretKeyRef") or {}).get("name", "")
        for source in container.get("envFrom", ()):
            yield (source.get("secretRef") or {}).get("name", "")


_SECRETS: Final = {
    "Ingress": _of_ingress,
    "Service": _of_service,
    "TrafficPolicy": _of_policy,
    "Deployment": _of_deployment,
}
_OF_SERVICES: Final = {"EndpointSlice": _service_of_slice, "TrafficPolicy": _service_of_policy}
_SERVING: Final = frozenset({"Ingress", "Service", "TrafficPolicy"})
"""Kinds that every node carries out."""
