"""Registrants that write without end, to whichever registry answers, and remember what was acknowledged."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from random import Random

from discovery.registry.messages import removed, update
from discovery.registry.wire import NOERROR, Record
from tests.discovery.registry.test_transfer import ORIGIN, record

PATIENCE_SECONDS = 0.5
"""Before a question is asked elsewhere."""


class Writer:
    """One registrant; what is not acknowledged is asked again, of the next registry."""

    def __init__(self, number: int, addresses: Sequence[tuple[str, int]], pause: float) -> None:
        self._random = Random(number)
        self._number = number
        self.addresses = addresses
        """All may be written while it runs."""
        self._pause = pause
        self._turn = number
        self._id = 0
        self.there: set[Record] = set()
        self.gone: set[Record] = set()
        self.acknowledged = 0
        self.refused = 0

    async def run(self) -> None:
        """Write until cancelled; what is under way then may or may not be there."""
        count = 0
        while True:
            if self.there and self._random.random() < 0.3:
                old = self._random.choice(sorted(self.there))
                self.there.discard(old)
                await self._insist(removed(old))
                self.gone.add(old)
            else:
                count += 1
                new = record(f"w{self._number}-{count}.shop.default")
                await self._insist(new)
                self.there.add(new)
            await asyncio.sleep(self._pause * self._random.uniform(0.5, 1.5))

    async def _insist(self, change: Record) -> None:
        while True:
            self._id = (self._id + 1) % 0x10000
            rcode = await self._ask(update(self._id, ORIGIN, [change]))
            if rcode == NOERROR:
                self.acknowledged += 1
                return
            self.refused += 1
            self._turn += 1
            await asyncio.sleep(0.02)

    async def _ask(self, message: bytes) -> int | None:
        """The rcode; None: no answer."""
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.connect(self.addresses[self._turn % len(self.addresses)])
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await loop.sock_sendall(sock, message)
                    answer = await loop.sock_recv(sock, 512)
            except (TimeoutError, ConnectionError):
                return None
        return answer[3] & 0xF
