"""Golden tables: what becomes of manifests, compiled, as text that a person can read and compare.

Each tests/mesh/golden/NAME.yaml is compiled from nothing, and what comes of it stands in NAME.txt: listeners, rules,
Backends, statuses.  `python -m tests.tools.golden` writes the texts anew; look at what changed before you keep it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

import msgspec

from config.loader import load
from discovery.allocation import allocate
from discovery.assignments import Assignments
from discovery.catalog import Catalog
from discovery.sources import manifest
from mesh.backend import Backend
from mesh.compiler import Compiled
from mesh.compiler import compile as compiled_from
from mesh.live import Live
from mesh.plan import BackendPlan
from mesh.table import Listener, ListenerKey, Route
from mesh.tls.names import Certificate

FOLDER = Path(__file__).parents[1] / "mesh" / "golden"
COMMON = FOLDER / "common" / "node.yaml"
"""A NodeConfig for all, so that no text depends on the machine."""
NOT_TOLD = {"chance"}
"""What draws lots."""
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


def golden(name: str) -> str:
    """The table of NAME.yaml, as text."""
    loaded = load([COMMON, FOLDER / f"{name}.yaml"])
    allocated = allocate(loaded.config_set, Assignments())
    errors = [fault for fault in (*loaded.faults, *allocated.faults) if fault.severity == "error" and not fault.partial]
    assert not errors, errors
    catalog = Catalog()
    catalog.define(allocated.config_set.services)
    catalog.put_endpoints("manifest", manifest.endpoints(allocated.config_set))
    compiled = compiled_from(allocated.config_set, catalog.snapshot, None, Live(lambda: 0.0))
    return "\n".join(lines(compiled)) + "\n"


def lines(compiled: Compiled) -> Iterator[str]:
    """Everything of a table and its statuses, in an order that depends on nothing but what it says."""
    table = compiled.table
    yield "LISTENERS"
    for listener in sorted(table.listeners.values(), key=lambda each: (str(each.key), each.key.transport)):
        yield from _listener(listener)
    yield "BACKENDS"
    for plan in sorted(table.backends.values(), key=lambda each: each.key):
        yield from _plan(plan)
    yield "STATUSES"
    for key, status in sorted(compiled.statuses.items()):
        yield f"  {key}: {shown(status)}"


def _listener(listener: Listener) -> Iterator[str]:
    yield from _route(f"  {shown(listener.key)} {listener.entry} {listener.protocol}", listener.route)
    for field in ("http_required", "sources", "tls"):
        if value := getattr(listener, field):
            yield f"    {field}: {shown(value)}"
    if listener.routes is not None:
        for rule in listener.routes.rules:
            yield from _route(f"    {rule} of {rule.owner}", rule.to)
        yield from (f"    lost: {loss.loser} of {loss.loser.owner}" for loss in listener.routes.losses)


def _route(what: str, route: Route) -> Iterator[str]:
    indent = " " * (len(what) - len(what.lstrip()) + 2)
    yield f"{what} {shown(route.backend)}"
    if route.manner is not None:
        yield f"{indent}manner: {shown(route.manner)}"
    if route.filters is not None:
        yield from (f"{indent}{name}: {shown(each)}" for name, each in _said(route.filters).items())


def _plan(plan: BackendPlan) -> Iterator[str]:
    yield f"  {plan.key} {plan.key.side}"
    for name, value in _said(plan).items():
        if name == "endpoints":
            yield from (f"    {shown(endpoint)}" for endpoint in value)
        elif name != "key":
            yield f"    {name}: {shown(value)}"


def shown(value: Any) -> str:
    """Plain data as text, without what is as it is by default; live objects by what they belong to."""
    match value:
        case Backend():
            return f"-> {value.key} {value.key.side}"
        case Certificate():
            return f"Certificate({', '.join(value.names)})"
        case IPv4Network() | IPv6Network():
            return str(value)
        case ListenerKey():
            return f"{value}/{value.transport}"
        case re.Pattern():
            return f"/{value.pattern!r}/"
        case bytes() | str() | int() | float() | None:
            return repr(value)
        case Mapping():
            return "{" + ", ".join(f"{shown(key)}: {shown(each)}" for key, each in value.items()) + "}"
        case set() | frozenset():
            return "{" + ", ".join(sorted(map(shown, value))) + "}"
        case functools.partial():
            return f"{shown(value.func)}{shown(value.args)}"
    if said := _said(value):
        return f"{type(value).__name__}({', '.join(f'{name}={shown(each)}' for name, each in said.items())})"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(shown, value)) + "]"
    return str(getattr(value, "__qualname__", type(value).__name__))


def _said(value: Any) -> dict[str, Any]:
    """The fields of a record that are not as they are by default."""
    if isinstance(value, msgspec.Struct):
        given = [(each.name, each.default, getattr(value, each.name)) for each in msgspec.structs.fields(value)]
    elif is_dataclass(value):
        given = [(each.name, each.default, getattr(value, each.name)) for each in fields(value)]
    elif hasattr(value, "_field_defaults"):
        defaults = value._field_defaults
        given = [(name, defaults.get(name, msgspec.NODEFAULT), getattr(value, name)) for name in value._fields]
    else:
        slots = getattr(type(value), "__slots__", ())
        given = [(name.lstrip("_"), (), getattr(value, name, None) or ()) for name in slots if name != "__weakref__"]
    told = [(name, default, each) for name, default, each in given if name not in NOT_TOLD]
    return {name: each for name, default, each in told if each != default and each not in ((), None)}


def main() -> None:
    for name in NAMES:
        (FOLDER / f"{name}.txt").write_text(golden(name))


if __name__ == "__main__":
    main()
