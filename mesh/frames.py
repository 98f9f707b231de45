"""Taking frames: the counters of all live Backends, copied bit by bit so that traffic goes on in between.

Endpoints are many, so only so many of them have metric series of their own; the others are summed up per
Backend.  Which of the two an endpoint is, is decided once in its life: a series that changed its meaning
between two scrapes would seem to run backwards.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

from mesh.backend import Backend, EndpointState
from mesh.live import Live
from mesh.plan import BackendKey
from mesh.stats import OTHER, BackendFrame, EndpointFrame, StatsFrame, add
from mesh.steps import run_to_end

MOST_ENDPOINT_SERIES = 5000
SLICE = 200
"""Backends and endpoints copied between two yields."""


class FrameTaker:
    """Takes frames of one `Live`; remembers how many endpoints have series."""

    __slots__ = ("_live", "_named", "_room")

    def __init__(self, live: Live, most_endpoint_series: int = MOST_ENDPOINT_SERIES) -> None:
        self._live = live
        self._room = most_endpoint_series
        self._named = 0

    def take(self) -> StatsFrame:
        """`steps` in one go."""
        return run_to_end(self.steps())

    def steps(self) -> Generator[None, None, StatsFrame]:
        """A frame, yielding after every few hundred endpoints."""
        frames: dict[BackendKey, BackendFrame] = {}
        named = copied = 0
        for backend in tuple(self._live.backends.values()):
            backend.forget_departed()
            endpoints: dict[str, EndpointFrame] = {}
            for states in _batches(backend):
                if copied + len(states) > SLICE:
                    copied = 0
                    yield
                copied += 1 + len(states)
                self._add(states, endpoints)
            _add_forgotten(backend, endpoints)
            made = backend_frame(backend, endpoints)
            if (other := frames.setdefault(backend.key._replace(side="internal"), made)) is not made:
                add(other, made)
            named += len(endpoints) - (OTHER in endpoints)
        self._named = named
        return StatsFrame(list(frames.values()))

    def _add(self, states: Sequence[EndpointState], endpoints: dict[str, EndpointFrame]) -> None:
        for state in states:
            if state.series is None:
                self._decide(state)
            frame = endpoints.setdefault(state.name if state.series else OTHER, EndpointFrame())
            frame.ready += state.endpoint.ready and not state.departed_at
            frame.requests += state.requests
            frame.ejections += state.ejections

    def _decide(self, state: EndpointState) -> None:
        state.series = self._named < self._room
        self._named += state.series


def _batches(backend: Backend) -> Iterator[tuple[EndpointState, ...]]:
    """All endpoints, as they are now, in parts small enough for one step; at least one part."""
    states = tuple(backend.states())
    yield states[:SLICE]
    for start in range(SLICE, len(states), SLICE):
        yield states[start : start + SLICE]


def _add_forgotten(backend: Backend, endpoints: dict[str, EndpointFrame]) -> None:
    stats = backend.stats
    if stats.forgotten_requests or stats.forgotten_ejections:
        other = endpoints.setdefault(OTHER, EndpointFrame())
        other.requests += stats.forgotten_requests
        other.ejections += stats.forgotten_ejections


def backend_frame(backend: Backend, endpoints: dict[str, EndpointFrame]) -> BackendFrame:
    """The counters of `backend`, with those of `endpoints`."""
    stats = backend.stats
    return BackendFrame(
        *backend.key[:3],
        codes=dict(stats.codes),
        reasons=dict(stats.reasons),
        duration_buckets=list(stats.duration_buckets),
        duration_sum=stats.duration_sum,
        in_flight=stats.in_flight,
        queued=len(backend.limits) if backend.limits is not None else 0,
        retries=dict(stats.retries),
        detected=dict(stats.detected),
        handshakes=dict(stats.handshakes),
        bytes_in=stats.bytes_in,
        bytes_out=stats.bytes_out,
        tcp_total=stats.tcp_total,
        tcp_open=stats.tcp_open,
        udp_total=stats.udp_total,
        udp_open=stats.udp_open,
        udp_in=stats.udp_in,
        udp_out=stats.udp_out,
        udp_lost=stats.udp_lost,
        endpoints=endpoints,
        asleep=backend.asleep,
    )
