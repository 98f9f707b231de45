"""Forwarding of UPDATEs by one who has a copy of a zone to one who may write it (RFC 2136 section 6).

A message goes on as it came, with its id and its signature (RFC 8945 section 5.5), and so does the answer: the registry
judges who may write.  What is not signed comes from another address then than it came from, so only this machine is
heard without a signature.  A signature may be anybody's, since not all keys are known here: who is answered at all, and
how often, the server's gate has said before, and here nobody else can take all places from this machine's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from ipaddress import ip_address
from typing import Final

from discovery.registry.asked import Send, error
from discovery.registry.outline import Outline
from discovery.registry.registrant import Refused, deliver
from discovery.registry.resolv_conf import Resolver
from discovery.registry.wire import NOERROR, REFUSED, SERVFAIL

AT_ONCE: Final = 128
"""Updates that are on their way; who sends more comes again."""
OF_ANOTHER: Final = 16
"""Of these from one address that is not this machine's."""


class UpdateForwarder:
    """Needs a running event loop; `close` ends what is under way."""

    def __init__(self, servers: Sequence[Resolver]) -> None:
        """`servers`: registries, in the order in which they are tried."""
        self.carried: list[Callable[[bytes], None]] = []
        """Told of each message that a registry has carried out."""
        self._servers = tuple(servers)
        self._turn = 0
        self._under_way: dict[tuple[str, bytes], asyncio.Task[bytes | None]] = {}

    def take(self, message: bytes, parts: Outline, client: str, send: Send) -> None:
        """Hand `message` on, and the answer to `send`; one that is repeated meanwhile is answered once."""
        key = client, message
        is_own = ip_address(client.partition("%")[0]).is_loopback
        if not (parts.signature or is_own):
            send(error(message, parts, REFUSED))
        elif key in self._under_way:
            send(None)
        elif len(self._under_way) >= AT_ONCE or not (is_own or self._count_of(client) < OF_ANOTHER):
            send(error(message, parts, SERVFAIL))
        else:
            task = asyncio.get_running_loop().create_task(self._delivered(message))
            self._under_way[key] = task
            task.add_done_callback(partial(self._answered, key, parts, send))

    async def close(self) -> None:
        """Hand on nothing more."""
        tasks = tuple(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _count_of(self, client: str) -> int:
        return sum(address == client for address, _ in self._under_way)

    def _answered(self, key: tuple[str, bytes], parts: Outline, send: Send, done: asyncio.Task[bytes | None]) -> None:
        """Whatever became of it, even if it was given up before it began."""
        del self._under_way[key]
        answer = None if done.cancelled() else done.result()
        send(error(key[1], parts, SERVFAIL) if answer is None else answer)

    async def _delivered(self, message: bytes) -> bytes | None:
        """What the first registry says that answers; None: none does."""
        for _ in self._servers:
            try:
                answer = await deliver(self._servers[self._turn % len(self._servers)], message)
            except (Refused, OSError, EOFError, TimeoutError):
                self._turn += 1
                continue
            if answer[3] & 0xF == NOERROR:
                for tell in self.carried:
                    tell(message)
            return answer
        return None
