"""EndpointState: one endpoint of one Backend as the data plane knows it: its pool, its counters, its record.

It survives tables, and is remembered for a while after the endpoint left.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from discovery.endpoint import Endpoint
from mesh.http1.response import PlainResponse
from mesh.outlier import Cause

_NO_ANSWER = PlainResponse(0, 0, 1, b"", b"")
"""What nothing that was read begins with."""


class UpstreamConnection(Protocol):
    """An open connection to an endpoint, as its EndpointState sees it."""

    def endpoint_withdrawn(self) -> None:
        """The endpoint is gone, no longer ready, or terminates: replay elsewhere what can be, finish the rest."""


class _Busy:
    """What every exchange touches; of thousands of endpoints it is fetched from far, so it lies together."""

    __slots__ = ("answer", "idle", "in_flight", "requests")


class EndpointState(_Busy):
    """One endpoint of one Backend: its pool, its counters, and what this proxy concluded about it."""

    __slots__ = (
        "bad_answers", "cause", "connect_failures", "connections", "departed_at", "ejections", "eligible", "endpoint",
        "failures", "good_answers", "host", "port", "series", "server_errors", "set_aside_until", "unhealthy",
        "used_since", "weight",
    )  # fmt: skip

    cause: Cause

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.host = endpoint.address
        self.port = endpoint.port
        self.weight = endpoint.weight
        """What balancers go by: of the endpoint, or what slow start makes of it."""
        self.eligible = False
        """It may be picked."""
        self.idle: list[Any] = []
        """Upstream connections that wait for an exchange; the newest is last and is used first."""
        self.connections: set[UpstreamConnection] = set()
        """All open connections, idle ones too; entered once per connection, not per request."""
        self.answer = _NO_ANSWER
        """Its last plain response: most heads are the same for a second, and those of other endpoints too."""
        self.in_flight = 0
        self.requests = 0
        self.failures = 0
        """Times set aside in a row."""
        self.cause = "connects"
        self.connect_failures = 0
        self.server_errors = 0
        self.good_answers = 0
        self.bad_answers = 0
        """Both since the success rate was last judged."""
        self.unhealthy = False
        """An active check of this proxy says so, or has said nothing yet."""
        self.used_since: float | None = None
        """When it began to be used, for slow start."""
        self.ejections = 0
        """Times set aside, ever."""
        self.set_aside_until = 0.0
        self.departed_at = 0.0
        self.series: bool | None = None
        """Whether it has metric series of its own; None: not decided yet."""

    @property
    def name(self) -> str:
        """``ADDRESS:PORT``, what it is called in metrics, logs and explanations; an IPv6 address is in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def become(self, endpoint: Endpoint) -> None:
        """The same address and replica, of which discovery now says something else."""
        ending = endpoint.terminating and not self.endpoint.terminating
        # It may stay in use for want of others, or have been out of use for long: who only looks at who may be picked
        # sees no change, and yet what goes on through it must come to an end.
        unseen = endpoint.serving or not self.endpoint.ready
        self.endpoint = endpoint
        self.weight = endpoint.weight
        if ending and unseen:
            self.withdraw()

    def withdraw(self) -> None:
        """Tell its connections, which may leave the set while they are told."""
        for connection in tuple(self.connections):
            connection.endpoint_withdrawn()


def vouched(endpoint: Endpoint) -> bool:
    """Whether an agent probes it and says what is found; others are for this proxy to check."""
    return endpoint.workload is not None and endpoint.vouched


Answered = Callable[[EndpointState, float, int], None]
"""``answered(state, seconds, status)``: a try at an endpoint is over; `seconds` is how long the answer took."""
NOT_ANSWERED = 0
"""In place of a status: there was none where one was due."""
NO_ANSWER_DUE = -1
"""In place of a status: nothing can be concluded, as of a TCP connection or a client that gave up."""
