"""A sighting: what the engine said of one container when it was asked, as far as anybody here wants to know.

Read from the answer to GET /containers/ID/json (Engine API 1.41); what is not needed of it is not looked at.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

LOCAL: Final = "127.0.0.1"
HOST_NETWORK: Final = "host"
BRIDGE: Final = "bridge"
"""Both the name of the first network, and the kind of those that the host can dial."""


class Sighting(msgspec.Struct, frozen=True):
    """`started` tells one run of a container from the next."""

    id: str
    name: str
    labels: Mapping[str, str] = {}
    running: bool = False
    """Also while it is paused."""
    paused: bool = False
    health: str = ""
    """``starting``, ``healthy``, ``unhealthy``; empty without a HEALTHCHECK."""
    started: str = ""
    ended: str = ""
    exit_code: int = 0
    out_of_memory: bool = False
    stop_signal: int = signal.SIGTERM
    stop_seconds: float = 10.0
    """How long it is given to end, unless who stops it says otherwise."""
    addresses: Mapping[str, str] = {}
    """By network."""


class _Health(msgspec.Struct):
    status: str = msgspec.field(default="", name="Status")


class _State(msgspec.Struct, rename="pascal"):
    running: bool = False
    paused: bool = False
    restarting: bool = False
    dead: bool = False
    exit_code: int = 0
    started_at: str = ""
    finished_at: str = ""
    oom_killed: bool = msgspec.field(default=False, name="OOMKilled")
    health: _Health | None = None


class _Config(msgspec.Struct, rename="pascal"):
    labels: dict[str, str] | None = None
    stop_signal: str | None = None
    stop_timeout: float | None = None


class _Network(msgspec.Struct):
    address: str = msgspec.field(default="", name="IPAddress")
    address6: str = msgspec.field(default="", name="GlobalIPv6Address")


class _Networks(msgspec.Struct, rename="pascal"):
    networks: dict[str, _Network | None] | None = None


class _Inspected(msgspec.Struct, rename="pascal"):
    id: str
    name: str
    state: _State
    config: _Config
    network_settings: _Networks = msgspec.field(default_factory=_Networks)


def sighting(answer: Mapping[str, Any]) -> Sighting:
    """Raises ValueError for an answer that is none."""
    try:
        found = msgspec.convert(answer, _Inspected)
    except msgspec.ValidationError as error:
        raise ValueError(f"the engine says of a container what cannot be read: {error}") from None
    state = found.state
    return Sighting(
        id=found.id,
        name=found.name.lstrip("/"),
        labels=found.config.labels or {},
        running=state.running and not (state.restarting or state.dead),
        paused=state.paused,
        health=state.health.status if state.health and state.health.status != "none" else "",
        started=state.started_at,
        ended=state.finished_at,
        exit_code=state.exit_code,
        out_of_memory=state.oom_killed,
        stop_signal=signal_number(found.config.stop_signal or "SIGTERM"),
        stop_seconds=10.0 if found.config.stop_timeout is None else found.config.stop_timeout,
        addresses=dict(_addresses(found.network_settings.networks or {})),
    )


def _addresses(networks: Mapping[str, _Network | None]) -> Iterator[tuple[str, str]]:
    for name, network in networks.items():
        if network is not None and name == HOST_NETWORK:
            yield name, LOCAL
        elif network is not None and (address := network.address or network.address6):
            yield name, address


def signal_number(text: str) -> int:
    """Of ``SIGTERM``, ``TERM``, ``15`` or ``SIGRTMIN+3``; 0 for what is no signal."""
    if text.isascii() and text.isdigit():
        return int(text[:3])
    name, plus, more = text.upper().removeprefix("SIG").partition("+")
    try:
        return int(signal.Signals[f"SIG{name}"]) + (int(more) if plus else 0)
    except (KeyError, ValueError):
        return 0


def address_of(found: Sighting, wanted: str, kinds: Mapping[str, str]) -> str:
    """Where the host dials a container: in the network that is `wanted`, else in one that the host is part of.

    `kinds`: each network's driver.  Of several networks the first bridge counts, by name.  Empty: it has none.
    """
    if wanted:
        return found.addresses.get(wanted, "")
    if HOST_NETWORK in found.addresses:
        return LOCAL
    bridges = sorted(name for name in found.addresses if kinds.get(name, name) == BRIDGE)
    return found.addresses[bridges[0]] if bridges else ""


def is_inside(found: Sighting, address: str, kinds: Mapping[str, str]) -> bool:
    """Whether this host alone can dial `address`: it is one of a bridge."""
    return any(at == address and kinds.get(name, name) == BRIDGE for name, at in found.addresses.items())


def began(started: str) -> float | None:
    """Unix time of a container's start; None where that cannot be told."""
    try:
        return datetime.fromisoformat(started).timestamp()
    except ValueError:
        return None


def age(started: str, now: float) -> float:
    """Seconds since a container's start, `now` being Unix time; 0 where that cannot be told."""
    since = began(started)
    return max(0.0, now - since) if since is not None else 0.0


def ending(found: Sighting) -> str:
    """How one that does not run has ended, in words for the user."""
    return "out of memory" if found.out_of_memory else f"exit code {found.exit_code}"
