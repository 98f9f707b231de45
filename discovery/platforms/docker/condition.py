"""What is held of one container: what the engine last said of it, and what its events have said since.

A pure state machine.  Events count at once, before anything is asked: a container that is sent its stop signal is
terminating from that moment on, one that died is gone.  What an event does not say by itself (with which address
something has started) has the container looked at again.  After events of the Engine API (docker-events(1)).
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

import msgspec
from msgspec.structs import replace

from discovery.platforms.docker.sighting import Sighting

ENDS: Final = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGKILL})
"""Signals that end a program which does not say otherwise; HUP is a reload."""
GONE: Final = frozenset({"die", "stop", "destroy"})
NEWS: Final = frozenset({"start", "restart", "unpause", "oom", "connect"})
"""What happened is known, but not what came of it."""
ACTIONS: Final = (
    "kill", "die", "oom", "stop", "destroy", "pause", "unpause", "restart", "start", "health_status", "connect",
    "disconnect",
)  # fmt: skip


class Event(NamedTuple):
    """`action` is a word of `ACTIONS`, perhaps with what follows its colon; `container` is an id."""

    kind: Literal["container", "network"]
    action: str
    container: str
    attributes: Mapping[str, str] = {}
    """Of a container: its name, image and labels; of a network: its name."""
    at: int = 0
    """Unix time in nanoseconds; 0: now."""


class Condition(msgspec.Struct, frozen=True):
    sighting: Sighting
    ending: bool = False
    """It was sent a signal that is to end it, in this run."""
    out: bool = False
    """It cannot answer, whatever was seen before: it is being killed."""

    @property
    def serving(self) -> bool:
        """Whether it may answer what is sent to it."""
        seen = self.sighting
        return seen.running and not (seen.paused or self.out) and seen.health in {"", "healthy"}

    @property
    def ready(self) -> bool:
        return self.serving and not self.ending


def after(known: Condition, event: Event) -> Condition | None:
    """What holds once `event` has happened; None: the container does not run any more."""
    seen = known.sighting
    action, _, more = event.action.partition(":")
    if action in GONE:
        return None
    match action:
        case "kill":
            return _signalled(known, event.attributes.get("signal", ""))
        case "oom":
            return replace(known, out=True)
        case "pause" | "unpause":
            seen = replace(seen, paused=action == "pause")
        case "health_status":
            seen = replace(seen, health=more.strip())
        case "disconnect":
            left = {name: at for name, at in seen.addresses.items() if name != event.attributes.get("name")}
            seen = replace(seen, addresses=left)
    return replace(known, sighting=seen)


def _signalled(known: Condition, text: str) -> Condition:
    """A HUP, or whatever else is not known to end it, changes nothing."""
    number = int(text[:3]) if text.isascii() and text.isdigit() else 0
    if number not in ENDS and number != known.sighting.stop_signal:
        return known
    return replace(known, ending=True, out=known.out or number == signal.SIGKILL)


def seen_again(known: Condition | None, now: Sighting) -> Condition | None:
    """What holds once the container was looked at; None: it does not run.

    In one run the signal that was sent is not forgotten: only the engine's events speak of signals.
    """
    if not now.running:
        return None
    same_run = known is not None and known.sighting.started == now.started
    return Condition(now, ending=known is not None and same_run and known.ending)
