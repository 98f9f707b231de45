"""Doors: the listeners of the table and what became of them, as people and tools are told.

A listener may be bound elsewhere than where clients are meant to dial (port 80 without the right to it), or
not at all; a door says so in words.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mesh.listener import Listeners, ListenerState
from mesh.table import AppProtocol, Entry, Listener, ListenerKey, RoutingTable

HERE = frozenset({"127.0.0.1", "0.0.0.0"})
"""Where names under ``localhost`` lead (RFC 6761 section 6.3)."""


class Door(NamedTuple):
    namespace: str
    """Empty for the door of all Ingresses, which is no Service's."""
    service: str
    port: str
    entry: Entry
    protocol: AppProtocol
    wanted: str
    """IP:PORT that clients are meant to dial."""
    served: str
    """IP:PORT that is bound; empty while none is."""
    note: str
    """Why it is bound elsewhere or not at all, and the remedy; else empty."""
    ready: bool
    """Whether an endpoint is there to serve."""
    host: str = ""
    """Of an Ingress: a name of this machine (under ``localhost``) that one of its rules is for."""

    @property
    def http(self) -> bool:
        """Whether a browser can be pointed at it, as far as is known."""
        return self.protocol not in ("tcp", "udp") and self.entry != "HealthCheck"

    @property
    def title(self) -> str:
        """What it is, where, and whose."""
        owner = f" of Service {self.namespace}/{self.service}" if self.namespace else ""
        return f"{self.entry} {self.wanted}{owner}"

    @property
    def url(self) -> str:
        return self._url(self.wanted)

    @property
    def served_url(self) -> str:
        return self._url(self.served)

    def _url(self, where: str) -> str:
        scheme = "https" if self.protocol == "https" else "http"
        address, _, port = where.rpartition(":")
        if self.host and address in HERE:
            where = f"{self.host}:{port}"
        return f"{scheme}://{where}/" if self.http else f"{'udp' if self.protocol == 'udp' else 'tcp'}://{where}"


def doors(table: RoutingTable, listeners: Listeners) -> Iterator[Door]:
    """All doors of `table`, in its order."""
    for listener in table.listeners.values():
        yield _door(listener, listeners.states.get(listener.key))


def unbound(table: RoutingTable, listeners: Listeners) -> Iterator[Door]:
    """The doors that are bound nowhere; looking for them costs little, however many doors there are."""
    states = listeners.states
    for key, listener in table.listeners.items():
        state = states.get(key)
        if state is None or state.bound is None:
            yield _door(listener, state)


def _door(listener: Listener, state: ListenerState | None) -> Door:
    backend = listener.route.backend
    return Door(
        *backend.key[:3],
        entry=listener.entry,
        protocol=listener.protocol,
        wanted=str(listener.key),
        served=str(state.bound) if state and state.bound else "",
        note=note(listener.key, state),
        ready=_ready(listener),
        host=_host(listener),
    )


def _host(listener: Listener) -> str:
    if listener.routes is None:
        return ""
    hosts = (rule.host for rule in listener.routes.rules)
    return next((host for host in hosts if host.endswith(".localhost") and not host.startswith("*")), "")


def _ready(listener: Listener) -> bool:
    if listener.routes is None:
        return any(endpoint.ready for endpoint in listener.route.backend.plan.endpoints)
    return any(rule.to.backend.eligible for rule in listener.routes.rules)


def note(key: ListenerKey, state: ListenerState | None) -> str:
    """Why a listener is bound elsewhere or not at all, and the remedy; else empty."""
    if state is None:
        return "it is not opened yet"
    if state.bound and state.bound != key:
        return f"served at {state.bound} ({state.reason})"
    return state.reason
