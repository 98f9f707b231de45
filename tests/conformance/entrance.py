"""Ingresses as short manifests, all the way to the table that they are compiled to."""

from __future__ import annotations

import json
from typing import Any

from config.configset import ConfigSet
from config.loader import load_text
from config.meta import ObjectKey
from discovery.allocation import allocate
from discovery.assignments import Assignments
from discovery.catalog import Catalog
from discovery.sources import manifest
from mesh.compiler import Compiled, compile  # noqa: A004 - the word for it
from mesh.live import Live
from mesh.table import ListenerKey
from tests.mesh.making import Clock
from tests.scenarios.manifests import endpoint_slice, service

HTTP, HTTPS = ListenerKey("127.0.0.1", 8080), ListenerKey("127.0.0.1", 8443)
OLD, YOUNG = "2023-01-01T00:00:00Z", "2024-01-01T00:00:00Z"


def ingress(*rules: str, name: str = "i", default: str = "", created: str = "", **spec: Any) -> dict[str, Any]:
    """An Ingress of rules such as ``Prefix foo.com/cart a``: type, host and path, and the Service that it leads to."""
    by_host = [rule(*words.split()) for words in rules]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name, **({"creationTimestamp": created} if created else {})},
        "spec": {
            **({"rules": by_host} if by_host else {}),
            **({"defaultBackend": backend(default)} if default else {}),
            **spec,
        },
    }


def rule(kind: str, place: str, to: str) -> dict[str, Any]:
    host, slash, path = place.partition("/")
    paths = [{"pathType": kind, "path": slash + path, "backend": backend(to)}]
    return {**({"host": host} if host else {}), "http": {"paths": paths}}


def path(kind: str, text: str) -> dict[str, Any]:
    return {"http": {"paths": [{"pathType": kind, "path": text, "backend": backend("a")}]}}


def backend(to: str) -> dict[str, Any]:
    name, _, port = to.partition(":")
    return {"service": {"name": name, "port": {"number": int(port)} if port.isdigit() else {"name": port or "http"}}}


def services() -> list[dict[str, Any]]:
    """Services ``a`` to ``d`` with an endpoint each."""
    made = [
        [service(name, {"http": 80, "admin": 81}), endpoint_slice(name, {"http": 9, "admin": 10})] for name in "abcd"
    ]
    return [each for pair_ in made for each in pair_]


def errors(*objects: dict[str, Any]) -> list[str]:
    return [f"{each.path}: {each.message}" for each in load(*objects)[1] if each.severity == "error"]


def load(*objects: dict[str, Any]) -> tuple[ConfigSet, tuple[Any, ...]]:
    items = json.dumps({"apiVersion": "v1", "kind": "List", "items": [*services(), *objects]})
    loaded = load_text(items, "test.json")
    return loaded.config_set, loaded.faults


def compiled(*objects: dict[str, Any]) -> Compiled:
    written, faults = load(*objects)
    assert not [fault for fault in faults if fault.severity == "error"], faults
    return put_together(written)


def put_together(written: ConfigSet) -> Compiled:
    config_set = allocate(written, Assignments()).config_set
    catalog = Catalog()
    catalog.define(config_set.services)
    catalog.put_endpoints("manifest", manifest.endpoints(config_set))
    return compile(config_set, catalog.snapshot, None, Live(Clock()))


def met(made: Compiled, url: str) -> str:
    """The Service that a request to ``HOST/PATH`` meets, with the port if it is another than ``http``."""
    host, slash, path = url.partition("/")
    routes = made.table.listeners[HTTP].routes
    assert routes is not None
    found = routes.match(host.encode(), (slash + path).encode())
    if found is None:
        return "404"
    key = found.backend.key
    return key.service if key.port == "http" else f"{key.service}:{key.port}"


def state(made: Compiled, name: str = "i") -> str:
    return made.statuses[ObjectKey("Ingress", "default", name)].state
