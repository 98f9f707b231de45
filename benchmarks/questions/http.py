"""HTTP/1.1 keep-alive: CPU per request beside nginx, HAProxy and Envoy, with short and with long heads."""

from __future__ import annotations

from functools import partial

from benchmarks.answer import Answer, Row, at_least, at_most
from benchmarks.manifests import three
from benchmarks.measure import in_turns, median
from benchmarks.rig import Proxy, Rig, free_port, wrk

NAME = "http"
TITLE = "HTTP/1.1 keep-alive, 64 connections, round robin over 3 endpoints"
HEADS = {"42-byte heads": "", "450-byte heads, path and cookie different in each": "heads.lua"}


def run(rounds: int, seconds: float) -> Answer:
    """CPU microseconds per request of all four, in turns."""
    answer = Answer(
        TITLE, f"CPU time of the proxy per request, median of {rounds} rounds of {seconds:g} s each, in turns"
    )
    with Rig() as rig:
        rig.start_backends()
        ip, http, tcp = "127.96.9.1", free_port(), free_port()
        weft = rig.start_weft(three(ip, http, tcp, rig.backends), listens=[(ip, http)])
        weft = Proxy("weft", weft.pid, f"http://{ip}:{http}")
        proxies = [rig.start_nginx(), rig.start_haproxy(), rig.start_envoy(), weft]
        for heads, script in HEADS.items():
            burst = {p.name: partial(cpu_per_request, p, seconds, script) for p in proxies}
            in_turns(
                1, {p.name: partial(cpu_per_request, p, 1, script) for p in proxies}
            )  # connections open, caches warm
            figures = in_turns(rounds, burst)
            answer.series.update({f"{name}, {heads.split(',')[0]}": values for name, values in figures.items()})
            answer.rows.extend(rows(heads, {name: median(values) for name, values in figures.items()}))
    return answer


def cpu_per_request(proxy: Proxy, seconds: float, script: str) -> float:
    return wrk(proxy, f"{proxy.http}/", seconds, script=script).cpu_per_request


def rows(heads: str, medians: dict[str, float]) -> list[Row]:
    ours = medians["weft"]
    found = [Row(f"{name}, {heads}", value, "us") for name, value in medians.items()]
    found += [at_most(f"weft / {name}, {heads}", ours / medians[name], "x", 1.3) for name in ("nginx", "haproxy")]
    return [*found, at_least(f"envoy / weft, {heads}", medians["envoy"] / ours, "x", 2.5)]
