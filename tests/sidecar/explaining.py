"""A compiled world to explain requests in: what is written, what exists, and nothing that listens."""

from __future__ import annotations

from config.configset import ConfigSet
from discovery.catalog import PortEndpoints
from mesh.compiler import compile as compile_table
from mesh.listener import ListenerState
from mesh.live import Live
from mesh.table import ListenerKey
from sidecar.explain.explanation import Explanation, Known, explain
from sidecar.explain.question import parse_question
from tests.mesh.making import Clock, snapshot


def known(
    written: ConfigSet, states: dict[ListenerKey, ListenerState] | None = None, **services: PortEndpoints
) -> Known:
    """What is known where `services` exist and all listeners are bound as wanted, or as `states` say."""
    clock = Clock()
    compiled = compile_table(written, snapshot(1, **services), None, Live(clock))
    for plan, backend in zip(compiled.table.backends.values(), compiled.backends.values(), strict=True):
        backend.apply(plan)
    bound = {key: ListenerState(bound=key) for key in compiled.table.listeners}
    return Known(compiled, {**bound, **(states or {})}, clock.now)


def explained(url: str, there: Known, *headers: str, method: str = "GET", client: str = "127.0.0.1") -> Explanation:
    return explain(parse_question(url, method, headers, client), there)
