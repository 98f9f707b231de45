"""A weft that writes down when each serial of the registry is in force: ``stamping FILE ARGUMENTS OF WEFT...``.

Each line of FILE is a serial and the seconds, by the clock that all processes of the machine share, at which a table
with all changes up to it was in force.
"""

from __future__ import annotations

import sys
from collections import deque
from time import monotonic
from typing import TextIO

from sidecar import cli, follower
from sidecar.propagation import Propagation


class Stamping(Propagation):
    """As it is in a node, and tells."""

    file: TextIO

    def __init__(self) -> None:
        super().__init__()
        self._made: deque[tuple[int, int]] = deque()
        self._generation = 0

    def copied(self, serial: int, generation: int) -> None:
        super().copied(serial, generation)
        if generation <= self._generation:  # what is told in steps may be in force before the last of them
            self._write(serial, monotonic())
        else:
            self._made.append((generation, serial))

    def in_force(self, generation: int, now: float) -> None:
        super().in_force(generation, now)
        self._generation = generation
        serial = None
        while self._made and self._made[0][0] <= generation:
            _, serial = self._made.popleft()
        if serial is not None:
            self._write(serial, now)

    def _write(self, serial: int, at: float) -> None:
        print(serial, at, file=self.file, flush=True)


if __name__ == "__main__":
    Stamping.file = open(sys.argv[1], "w")  # noqa: SIM115 - until the process ends
    follower.Propagation = Stamping  # type: ignore[misc]
    sys.exit(cli.main(sys.argv[2:]))
