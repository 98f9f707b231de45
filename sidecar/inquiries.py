"""Questions to a sidecar's DNS server: to ask for the name of a Service is to use it.

The address of a Service with a ClusterIP is known, and answered at once.  Of a headless one, as of what is written of
any, the endpoints are the answer: such a question waits until they are here, for a while.  So does one for a Service
that is not known here, where its manifests can be had from the registry.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

from config.configset import ConfigSet
from config.meta import Named
from discovery.registry.asked import Elsewhere, Send, Stream
from discovery.registry.authority import Authority
from discovery.registry.keys import KeyRing
from discovery.registry.registrations import origin, service_of
from discovery.registry.responder import Responder
from discovery.registry.wire import Labels, Malformed, Query, QueryError, from_text, parse_query, to_wire

HELD: Final = 1000
"""Questions that wait; more are answered by what is known."""
PATIENCE: Final = 3.0
"""Seconds that one waits."""


class Learner(Protocol):
    """Who follows Services."""

    def lacks(self, service: Named) -> bool:
        """Whether its endpoints are not known, and worth waiting for."""

    def use(self, service: Named) -> None:
        """Something is to be sent to it."""

    async def answerable(self, service: Named) -> None:
        """Wait until answers are made of what is known of it."""


class Inquiries(Authority):
    """An authority that looks at plain questions too."""

    def __init__(
        self, responder: Responder, elsewhere: Elsewhere, learner: Learner, config_set: Callable[[], ConfigSet]
    ) -> None:
        """`learner`: is told of Services that are asked about; `config_set`: what there is, at the moment."""
        super().__init__(responder, elsewhere, KeyRing(), clock=time.monotonic, wall=time.time)
        self._learner = learner
        self._config_set = config_set
        self._held: set[asyncio.Task[None]] = set()

    def take(self, message: bytes, client: str, send: Send, stream: Stream | None = None) -> bool:
        if super().take(message, client, send, stream):
            return True
        try:
            labels = parse_query(message).labels
        except (Malformed, QueryError):
            return False
        service, waits = self._about(labels)
        if service is None or not self._learner.lacks(service):
            return False
        self._learner.use(service)
        if not waits or len(self._held) >= HELD:
            return False
        task = asyncio.get_running_loop().create_task(self._later(service, message, client, send, stream is not None))
        self._held.add(task)
        task.add_done_callback(self._held.discard)
        return True

    async def close(self) -> None:
        held = tuple(self._held)
        for task in held:
            task.cancel()
        await asyncio.gather(*held, return_exceptions=True)
        await super().close()

    def _about(self, labels: Labels) -> tuple[Named | None, bool]:
        """The Service that a name tells of, and whether what it tells are endpoints."""
        config_set = self._config_set()
        domain = from_text(config_set.node.cluster_domain)
        above = len(labels) - len(domain)
        if above < 3 or labels[above:] != domain:
            return None, False
        if labels[above - 1] == b"svc":
            named = Named(labels[above - 2].decode("ascii", "replace"), labels[above - 3].decode("ascii", "replace"))
            service = config_set.services.get(named)
            return named, service is None or service.headless
        zone, name = origin(config_set.node.cluster_domain), to_wire(labels)
        return (service_of(name, zone), True) if name.endswith(zone) else (None, False)

    async def _later(self, service: Named, message: bytes, client: str, send: Send, is_tcp: bool) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self._learner.answerable(service)
        outcome = self._responder.respond(message, is_tcp)
        if isinstance(outcome, Query):
            self._elsewhere.look_up(outcome, client, is_tcp, send)
        else:
            send(outcome)
