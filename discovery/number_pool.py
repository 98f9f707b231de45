"""A pool of numbers (addresses, ports) that one Service each can have."""

from __future__ import annotations

import zlib

from config.meta import Named


class NumberPool:
    """Gives out the numbers of a range; the first `band` of them only when all others are taken."""

    def __init__(self, numbers: range, band: int = 0) -> None:
        self._bands = (numbers[band:], numbers[:band])
        self._holders: dict[int, Named] = {}
        self._full = False

    def hold(self, number: int, who: Named) -> Named | None:
        """Give `number` to `who`, unless somebody else has it: that one is returned."""
        holder = self._holders.setdefault(number, who)
        return None if holder == who else holder

    def hold_free(self, number: int, who: Named) -> bool:
        """Whether nobody had `number`; now `who` has it."""
        return number not in self._holders and self._holders.setdefault(number, who) is who

    def pick(self, seed: str, who: Named) -> int | None:
        """A free number, the first one at or after the hash of `seed`; None when all are taken."""
        if self._full:
            return None
        start = zlib.crc32(seed.encode())
        for band in self._bands:
            for step in range(len(band)):
                number = band[(start + step) % len(band)]
                if number not in self._holders:
                    self._holders[number] = who
                    return number
        self._full = True
        return None
