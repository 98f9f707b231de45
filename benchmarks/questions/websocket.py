"""WebSocket messages through the tunnel: CPU per message beside HAProxy."""

from __future__ import annotations

import subprocess
import sys
from functools import partial

from benchmarks.answer import Answer, Row, at_most
from benchmarks.manifests import three
from benchmarks.measure import cpu_seconds, in_turns, median
from benchmarks.rig import LOAD_CORE, Proxy, Rig, accepts, free_port, wait_for

NAME = "websocket"
CONNECTIONS = 64
TITLE = f"WebSocket echo, {CONNECTIONS} connections, messages of 100 bytes"


def run(rounds: int, seconds: float) -> Answer:
    """CPU microseconds per message there and back, in turns."""
    answer = Answer(TITLE, f"CPU time of the proxy per message, median of {rounds} rounds of {seconds:g} s, in turns")
    with Rig() as rig:
        port = free_port()
        rig.start(LOAD_CORE, [sys.executable, "-m", "benchmarks.echo", "serve", str(port)])
        wait_for(lambda: accepts("127.0.0.1", port), "the echo")
        rig.backends = (port, port, port)
        ip, http, tcp = "127.96.9.1", free_port(), free_port()
        weft = rig.start_weft(three(ip, http, tcp, rig.backends), listens=[(ip, http)])
        proxies = [rig.start_haproxy(), Proxy("weft", weft.pid, f"http://{ip}:{http}")]
        figures = in_turns(rounds, {p.name: partial(cpu_per_message, p, seconds) for p in proxies})
    answer.series.update(figures)
    medians = {name: median(values) for name, values in figures.items()}
    answer.rows.extend(Row(name, value, "us") for name, value in medians.items())
    answer.rows.append(at_most("weft / haproxy", medians["weft"] / medians["haproxy"], "x", 1.2))
    return answer


def cpu_per_message(proxy: Proxy, seconds: float) -> float:
    argv = ["taskset", "-c", LOAD_CORE, sys.executable, "-m", "benchmarks.echo"]
    argv += ["load", proxy.http, str(CONNECTIONS), f"{seconds:g}"]
    before = cpu_seconds(proxy.pid)
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=seconds + 60)
    return (cpu_seconds(proxy.pid) - before) / int(done.stdout) * 1e6
