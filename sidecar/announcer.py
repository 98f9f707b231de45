"""What ``weft up`` prints while it starts: each Service port as it gets there, then what to try.

Every line is printed once.  Colours on a terminal, plain text in a pipe.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import islice
from typing import TextIO

from config.meta import ObjectKey
from discovery.platforms.base import WorkloadStatus
from mesh.status import ObjectStatus
from sidecar.doors import Door
from sidecar.options import Address
from sidecar.readiness import Missing
from sidecar.terminal import Painter

MOST_LINES = 60
"""Of a large configuration only so many ports are printed; ``weft status`` shows all."""


class Announcer:
    """Prints to `out` what is new in what it is shown."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._paint = Painter(out)
        self._doors: set[str] = set()
        self._workloads: dict[str, str] = {}

    def show(self, doors: Iterable[Door], workloads: Iterable[WorkloadStatus]) -> None:
        """Print the ports that can be used by now, and what changed about the workloads."""
        for workload in workloads:
            self._show_workload(workload)
        for door in doors:
            if door.served and door.ready and door.wanted not in self._doors:
                self._doors.add(door.wanted)
                self._show_door(door)

    def listening(self, places: Iterable[tuple[str, str]]) -> None:
        """Print what others than clients of Services can dial, and where."""
        for what, where in places:
            self._print(f"{what}  {self._paint('bold', where)}")

    def ready(self, seconds: float, commands: Sequence[str]) -> None:
        """All is there: print how long it took, and what to try."""
        self._print(self._paint("green", f"ready in {seconds:.1f} s"))
        self._print("")
        self._print("try:")
        for command in commands:
            self._print(f"  {self._paint('bold', command)}")
        self._print("")

    def waiting(self, missing: Iterable[Missing]) -> None:
        """It takes long: print what is still missing."""
        self._print(self._paint("yellow", "still waiting for:"))
        for item in missing:
            self._print(f"  {item.what}: {item.why}")

    def not_in_force(self, objects: Iterable[tuple[ObjectKey, ObjectStatus]]) -> None:
        """Print what is valid and yet not served, up to a bound."""
        for key, status in islice(objects, MOST_LINES):
            name = short_name(key.namespace, key.name)
            self._print(self._paint("yellow", f"{key.kind} {name}: {status.state}: {'; '.join(status.reasons)}"))

    def reloaded(self, changes: str, errors: int) -> None:
        """The manifests were read again: print what changed."""
        line = f"reloaded: {changes}"
        faults = "1 error" if errors == 1 else f"{errors} errors"
        self._print(self._paint("yellow", f"{line}; {faults}") if errors else line)

    def stopped(self) -> None:
        self._print("stopped")

    def _show_workload(self, status: WorkloadStatus) -> None:
        name = short_name(status.workload.namespace, status.workload.name)
        line = f"{name}  {status.ready}/{status.desired} replicas ready"
        if self._workloads.get(name) != line and (status.ready or not status.desired):
            self._print(self._paint("dim", line) if not status.complete else line)
        self._workloads[name] = line

    def _show_door(self, door: Door) -> None:
        if len(self._doors) > MOST_LINES:
            return
        if len(self._doors) == MOST_LINES:
            self._print("... and more: weft status shows all")
            return
        line = f"{short_name(door.namespace, door.service)}:{door.port}  {self._paint('bold', door.url)}"
        if door.note:
            line += self._paint("yellow", f" -> {door.note}")
        self._print(line)

    def _print(self, line: str) -> None:
        with suppress(BrokenPipeError):  # whoever read along has left; the traffic goes on
            self._out.write(line + "\n")
            self._out.flush()


def short_name(namespace: str, name: str) -> str:
    """As people say it: the namespace only when there is one and it is not ``default``."""
    return name if namespace in ("", "default") else f"{namespace}/{name}"


def commands_to_try(doors: Sequence[Door], admin: Address, own_state: bool) -> list[str]:
    """Three commands with the real addresses; `own_state`: the state folder is not the default one."""
    weft = _weft_command()
    asked = f" --admin {admin}" if own_state else ""
    commands = [f"{weft} status{asked}", f"curl http://{admin}/metrics"]
    http = [door for door in doors if door.served and door.ready and door.http]
    best = sorted(http, key=lambda door: (door.protocol == "detect", door.entry != "NodePort"))
    return [f"curl {best[0].served_url}", *commands] if best else commands


def _weft_command() -> str:
    """How this weft was called, so that it can be called again."""
    called = sys.argv[0]
    if os.path.basename(called) != "weft":
        return f"{os.path.basename(sys.executable)} -m sidecar"
    return "weft" if shutil.which("weft") else os.path.relpath(called)
