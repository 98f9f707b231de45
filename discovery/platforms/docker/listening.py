"""Which containers listen: those that nobody vouches for are tried until they have accepted once.

What has accepted in one run is never tried again in it, whatever its Service sends to later: else a change of
a manifest would take all replicas away for a moment.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial

from discovery.platforms.docker.observed import Run
from discovery.platforms.docker.sighting import age
from discovery.prober import Prober, ProbeTarget, Verdict

REMEDY = "the program must listen on all addresses of its container, at the targetPort of its Service"


class Listening:
    """Use from the event loop's thread."""

    def __init__(self, prober: Prober, changed: Callable[[], None]) -> None:
        """`changed` is called when there is more in `accepted`."""
        self.accepted: set[Run] = set()
        self._prober = prober
        self._changed = changed
        self._tried: dict[Run, tuple[int, ...]] = {}

    def follow(self, silent: Mapping[Run, tuple[int, ...]]) -> None:
        """These are there, and are to accept at these ports."""
        self.accepted.intersection_update(silent)
        wanted = {run: ports for run, ports in silent.items() if run not in self.accepted}
        for run in [run for run, ports in self._tried.items() if wanted.get(run) != ports]:
            del self._tried[run]
            self._prober.stop(run.replica, "")
        for run, ports in wanted.items():
            if run not in self._tried:
                self._tried[run] = ports
                self._prober.start(_target(run, ports), partial(self._on_verdict, run))

    def close(self) -> None:
        """Try nobody any more."""
        self.follow({})

    def _on_verdict(self, run: Run, verdict: Verdict) -> None:
        if verdict.ready:
            self._prober.stop(run.replica, "")
            del self._tried[run]
            self.accepted.add(run)
            self._changed()


def _target(run: Run, ports: tuple[int, ...]) -> ProbeTarget:
    since = age(run.started, time.time())
    return ProbeTarget(run.replica, "", run.address, accept_ports=ports, remedy=REMEDY, age=since)
