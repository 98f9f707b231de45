"""Who has put which generation in force: what a drain waits for instead of a guessed sleep.

A consumer is whoever has acknowledged once and has not been forgotten since.  Generations only grow.
"""

from __future__ import annotations

import asyncio


class Acknowledgements:
    """The newest generation that each consumer has in force."""

    __slots__ = ("_generations", "_news")

    def __init__(self) -> None:
        self._generations: dict[str, int] = {}
        self._news: asyncio.Future[None] | None = None

    def put(self, consumer: str, generation: int) -> None:
        """`consumer` has `generation` in force; an older word that comes late changes nothing."""
        self._generations[consumer] = max(generation, self._generations.get(consumer, 0))
        self._announce()

    def forget(self, consumer: str) -> None:
        """`consumer` is gone: nobody waits for it any more."""
        self._generations.pop(consumer, None)
        self._announce()

    def behind(self, generation: int) -> frozenset[str]:
        """The consumers that do not have `generation` in force yet."""
        return frozenset(name for name, reached in self._generations.items() if reached < generation)

    async def reached(self, generation: int, deadline: float) -> frozenset[str]:
        """Wait until all consumers have `generation` in force, or until `deadline` (the loop's time)."""
        try:
            async with asyncio.timeout_at(deadline):
                while self.behind(generation):
                    if self._news is None:
                        self._news = asyncio.get_running_loop().create_future()
                    await asyncio.shield(self._news)
        except TimeoutError:
            return self.behind(generation)
        return frozenset()

    def _announce(self) -> None:
        news, self._news = self._news, None
        if news is not None and not news.done():
            news.set_result(None)
