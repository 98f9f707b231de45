"""TCP relay beside HAProxy in TCP mode: keep-alive, a new connection per request, and 10 MiB bodies."""

from __future__ import annotations

from functools import partial

from benchmarks.answer import Answer, Row, at_most
from benchmarks.manifests import three
from benchmarks.measure import in_turns, median
from benchmarks.rig import Proxy, Rig, free_port, wrk

NAME = "tcp"
TITLE = "TCP relay, round robin over 3 endpoints"
CASES = {
    "keep-alive": ("/", 64, (), 1.2),
    "a new connection per request": ("/", 64, ("Connection: close",), 1.9),
    "10 MiB bodies": ("/big", 8, (), 0.7),
}
"""Path, connections, headers, and the ratio to HAProxy that we are held to."""


def run(rounds: int, seconds: float) -> Answer:
    """CPU microseconds per request of both, in turns."""
    answer = Answer(
        TITLE, f"CPU time of the proxy per request, median of {rounds} rounds of {seconds:g} s each, in turns"
    )
    with Rig() as rig:
        rig.start_backends()
        ip, http, tcp = "127.96.9.1", free_port(), free_port()
        weft = rig.start_weft(three(ip, http, tcp, rig.backends), listens=[(ip, tcp)])
        proxies = [rig.start_haproxy(), Proxy("weft", weft.pid, tcp=f"http://{ip}:{tcp}")]
        for case, (path, connections, headers, limit) in CASES.items():
            burst = {p.name: partial(cpu_per_request, p, path, seconds, connections, headers) for p in proxies}
            figures = in_turns(rounds, burst)
            answer.series.update({f"{name}, {case}": values for name, values in figures.items()})
            medians = {name: median(values) for name, values in figures.items()}
            answer.rows.extend(Row(f"{name}, {case}", value, "us") for name, value in medians.items())
            answer.rows.append(at_most(f"weft / haproxy, {case}", medians["weft"] / medians["haproxy"], "x", limit))
    return answer


def cpu_per_request(proxy: Proxy, path: str, seconds: float, connections: int, headers: tuple[str, ...]) -> float:
    return wrk(proxy, f"{proxy.tcp}{path}", seconds, connections, headers=headers).cpu_per_request
