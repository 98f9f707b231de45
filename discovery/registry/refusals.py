"""What is said of clients that did not get what they asked for, within bounds; and of refused updates (RFC 2136).

Anybody can send anything, by UDP in the name of others too; so each client and reason is told once a minute, and no
more than so many in all.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from config.naming import shown
from discovery.registry.wire import FORMERR, NOTAUTH, NOTZONE, REFUSED, Labels

WINDOW_SECONDS: Final = 60.0
MOST_TOLD: Final = 100
"""In one window."""
REASONS: Final = {
    FORMERR: "it cannot be read",
    REFUSED: "it changes a name that may not be changed by whoever sent it, or is too large",
    NOTAUTH: "it is for another zone",
    NOTZONE: "it has a name that is not in the zone",
}
"""By rcode; the others answer a condition that the client set itself, or a fault here that is told of elsewhere."""

log = logging.getLogger(__name__)


class Sparing:
    """Decides what is told; `clock`: monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since = clock()
        self._told: set[tuple[str, str]] = set()

    def tells(self, client: str, reason: str) -> bool:
        """Whether this is to be told now, which it then has to be."""
        now = self._clock()
        if now - self._since >= WINDOW_SECONDS:
            self._since = now
            self._told.clear()
        if (client, reason) in self._told or len(self._told) >= MOST_TOLD:
            return False
        self._told.add((client, reason))
        return True


class Refusals:
    """Tells of refused updates; `clock`: monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._sparing = Sparing(clock)

    def refused(self, client: str, rcode: int) -> None:
        """An update from the address `client` was answered by `rcode`."""
        if reason := REASONS.get(rcode):
            self.told(client, reason)

    def told(self, client: str, reason: str, zone: Labels | None = None) -> None:
        """Log it, if that was not done a moment ago; `zone`: what was to be changed, in the client's words."""
        if not self._sparing.tells(client, reason):
            return
        named = "" if zone is None else f" of {shown(_text(zone))}"
        log.info("an update%s from %s is refused: %s", named, client, reason)


def _text(labels: Labels) -> str:
    return ".".join(label.decode("ascii", "backslashreplace") for label in labels)
