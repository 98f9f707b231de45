"""The data plane's metric families, made from a frame and never from live objects.

Names have the prefix ``weft_`` and base units; labels are bounded by the configuration.  Families whose
labels are a Service port have samples for ports that had such traffic, so that thousands of idle Services do
not fill the page; endpoints are listed with and without traffic, up to the bound that frames keep.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from itertools import accumulate, chain
from operator import attrgetter

from mesh.exposition import AnySample, Family, FamilyLike, label_text, render
from mesh.stats import DURATION_BOUNDS, BackendFrame, EndpointFrame, StatsFrame

_BOUNDS = (*(f"{bound}" for bound in DURATION_BOUNDS), "+Inf")
_DURATION = "weft_http_request_duration_seconds"


def page(
    frame: Generator[None, None, StatsFrame], others: Iterable[FamilyLike] = (), loop_lag: float | None = None
) -> Iterator[bytes]:
    """The page of ``/metrics`` in chunks: the families of the frame that `frame` comes to, then `others`.

    Empty chunks are pauses while the frame is being taken.
    """
    while True:
        try:
            next(frame)
        except StopIteration as done:
            taken: StatsFrame = done.value
            break
        yield b""
    yield from render(chain(families(taken, loop_lag), others))


def process_families() -> Iterable[FamilyLike]:
    """CPU, memory, descriptors, garbage collection and version of this process."""
    from prometheus_client import REGISTRY  # here, because only processes that are scraped need its megabytes

    return REGISTRY.collect()


def families(frame: StatsFrame, loop_lag: float | None = None) -> Iterator[Family]:
    """All families of the data plane; `loop_lag` is the longest delay of the event loop lately, in seconds."""
    labelled = [_Labelled(backend) for backend in frame.backends]
    for name, kind, documentation, samples in _FAMILIES:
        yield Family(name, kind, documentation, samples(labelled))
    if loop_lag is not None:
        lag = "Longest time that the event loop was held, over the last seconds."
        yield Family("weft_loop_lag_seconds", "gauge", lag, [("weft_loop_lag_seconds", "", loop_lag)])


class _Labelled:
    """A BackendFrame and the texts of its labels, made at most once a page."""

    __slots__ = ("_endpoints", "_text", "frame")

    def __init__(self, frame: BackendFrame) -> None:
        self.frame = frame
        self._text = ""
        self._endpoints: list[tuple[str, EndpointFrame]] = []

    @property
    def text(self) -> str:
        if not self._text:
            frame = self.frame
            self._text = label_text({"namespace": frame.namespace, "service": frame.service, "port": frame.port})
        return self._text

    def endpoints(self) -> Iterable[tuple[str, EndpointFrame]]:
        """Label texts and counters; made one by one at the first time, since they may be thousands."""
        return self._endpoints if len(self._endpoints) == len(self.frame.endpoints) else self._make_endpoints()

    def _make_endpoints(self) -> Iterator[tuple[str, EndpointFrame]]:
        self._endpoints.clear()
        for endpoint, frame in self.frame.endpoints.items():
            self._endpoints.append((f"{self.text},{label_text({'endpoint': endpoint})}", frame))
            yield self._endpoints[-1]


Labelled = Sequence[_Labelled]
Samples = Callable[[Labelled], Iterator[AnySample]]


def _counts(name: str, label: str, field: str) -> Samples:
    """Samples of a counter that has one label of its own, from a dictionary of the frame."""
    counts = attrgetter(field)

    def samples(backends: Labelled) -> Iterator[AnySample]:
        for backend in backends:
            for value, count in counts(backend.frame).items():
                yield name, f"{backend.text},{label_text({label: str(value)})}", count

    return samples


def _durations(backends: Labelled) -> Iterator[AnySample]:
    for backend in backends:
        count = sum(backend.frame.duration_buckets)
        if not count:
            continue
        for bound, below in zip(_BOUNDS, accumulate(backend.frame.duration_buckets), strict=True):
            yield f"{_DURATION}_bucket", f'{backend.text},le="{bound}"', below
        yield f"{_DURATION}_sum", backend.text, backend.frame.duration_sum
        yield f"{_DURATION}_count", backend.text, count


def _http_in_flight(backends: Labelled) -> Iterator[AnySample]:
    for backend in backends:
        if backend.frame.codes or backend.frame.in_flight:
            yield "weft_http_requests_in_flight", backend.text, backend.frame.in_flight


def _http_queued(backends: Labelled) -> Iterator[AnySample]:
    for backend in backends:
        if backend.frame.codes or backend.frame.in_flight:
            yield "weft_http_requests_queued", backend.text, backend.frame.queued


def _ready_endpoints(backends: Labelled) -> Iterator[AnySample]:
    for backend in backends:
        ready = sum(endpoint.ready for endpoint in backend.frame.endpoints.values())
        if ready or not backend.frame.asleep:  # of the sides of a Service port one alone may have none
            yield "weft_ready_endpoints", backend.text, ready


def _tcp_total(backends: Labelled) -> Iterator[AnySample]:
    for backend in backends:
        if backend.frame.tcp_total:
            yield "weft_tcp_connections_total", backend.text, backend.frame.tcp_total


def _tcp_open(backends: Labelled) -> Iterator[AnySample]:
    for backend in backends:
        if backend.frame.tcp_total:
            yield "weft_tcp_connections_open", backend.text, backend.frame.tcp_open


def _udp(what: str) -> Samples:
    value = attrgetter(f"udp_{what}")
    name = {"total": "weft_udp_sessions_total", "open": "weft_udp_sessions_open", "lost": "weft_udp_lost_total"}[what]

    def samples(backends: Labelled) -> Iterator[AnySample]:
        for backend in backends:
            if backend.frame.udp_total:
                yield name, backend.text, value(backend.frame)

    return samples


def _datagrams(backends: Labelled) -> Iterator[AnySample]:
    for backend in backends:
        if backend.frame.udp_total:
            yield "weft_udp_datagrams_total", f'{backend.text},direction="in"', backend.frame.udp_in
            yield "weft_udp_datagrams_total", f'{backend.text},direction="out"', backend.frame.udp_out


def _bytes(backends: Labelled) -> Iterator[AnySample]:
    for backend in backends:
        frame = backend.frame
        if frame.bytes_in or frame.bytes_out:
            yield "weft_bytes_total", f'{backend.text},direction="in"', frame.bytes_in
            yield "weft_bytes_total", f'{backend.text},direction="out"', frame.bytes_out


def _per_endpoint(name: str, field: str) -> Samples:
    value = attrgetter(field)

    def samples(backends: Labelled) -> Iterator[AnySample]:
        for backend in backends:
            for labels, endpoint in backend.endpoints():
                yield name, labels, value(endpoint)

    return samples


_FAMILIES: tuple[tuple[str, str, str, Samples], ...] = (
    (
        "weft_http_requests",
        "counter",
        "HTTP requests that have ended, by final status code.",
        _counts("weft_http_requests_total", "code", "codes"),
    ),
    (_DURATION, "histogram", "From the end of a request's head to the last byte of its response.", _durations),
    ("weft_http_requests_in_flight", "gauge", "HTTP requests that have begun and not ended.", _http_in_flight),
    ("weft_http_requests_queued", "gauge", "Requests and connections that wait for an endpoint.", _http_queued),
    ("weft_tcp_connections", "counter", "Connections relayed as TCP.", _tcp_total),
    ("weft_tcp_connections_open", "gauge", "Connections that are being relayed as TCP.", _tcp_open),
    ("weft_udp_sessions", "counter", "UDP sessions: clients' addresses that a datagram came from.", _udp("total")),
    ("weft_udp_sessions_open", "gauge", "UDP sessions that are not over yet.", _udp("open")),
    ("weft_udp_datagrams", "counter", "Datagrams from clients (in) and to clients (out).", _datagrams),
    ("weft_udp_lost", "counter", "Datagrams that the system did not take.", _udp("lost")),
    ("weft_bytes", "counter", "Bytes from clients (in) and to clients (out).", _bytes),
    (
        "weft_ready_endpoints",
        "gauge",
        "How many endpoints of a Service port are ready; nothing of one that is scaled to zero.",
        _ready_endpoints,
    ),
    (
        "weft_endpoint_ready",
        "gauge",
        "Whether an endpoint is ready; of endpoint other, how many are.",
        _per_endpoint("weft_endpoint_ready", "ready"),
    ),
    (
        "weft_endpoint_requests",
        "counter",
        "Requests and TCP connections sent to an endpoint.",
        _per_endpoint("weft_endpoint_requests_total", "requests"),
    ),
    (
        "weft_endpoint_ejections",
        "counter",
        "Times that an endpoint was set aside because connects failed.",
        _per_endpoint("weft_endpoint_ejections_total", "ejections"),
    ),
    (
        "weft_retries",
        "counter",
        "Requests that met a failure that another endpoint might not have, by what came of it.",
        _counts("weft_retries_total", "outcome", "retries"),
    ),
    (
        "weft_proxy_errors",
        "counter",
        "Responses and connections that the proxy itself ended, by reason.",
        _counts("weft_proxy_errors_total", "reason", "reasons"),
    ),
    (
        "weft_detected",
        "counter",
        "Connections whose protocol was told from their first bytes.",
        _counts("weft_detected_total", "protocol", "detected"),
    ),
    (
        "weft_tls_handshakes",
        "counter",
        "TLS handshakes with clients that succeeded; those that failed are among the proxy's errors, by reason.",
        _counts("weft_tls_handshakes_total", "kind", "handshakes"),
    ),
)
