"""UDP: datagrams per core-second, from many clients and from few, there and back over three endpoints."""

from __future__ import annotations

import subprocess
import sys
from functools import partial

from benchmarks.answer import Answer, Row, at_least
from benchmarks.manifests import endpoint_slice, service
from benchmarks.measure import cpu_seconds, in_turns, median
from benchmarks.rig import LOAD_CORE, Rig, free_port, wait_for

NAME = "udp"
TITLE = "UDP, 100 bytes there and back, 8 datagrams of each client under way, over 3 endpoints"
CASES = {"1 client": 1, "16 clients": 16, "256 clients": 256}
WANTED = 40_000


def run(rounds: int, seconds: float) -> Answer:
    """Datagrams (questions and answers) per second of the proxy's CPU."""
    answer = Answer(TITLE, f"datagrams per CPU second of the proxy, median of {rounds} rounds of {seconds:g} s each")
    with Rig() as rig:
        ip, port, behind = "127.96.9.1", free_port(), [free_port() for _ in range(3)]
        rig.start(LOAD_CORE, [sys.executable, "-m", "benchmarks.datagrams", "echo", *map(str, behind)])
        documents = [
            service("small", ip, [("dns", port)]),
            *(endpoint_slice("small", ["dns"], b, ["127.0.0.1"]) for b in behind),
        ]
        weft = rig.start_weft("---\n".join(documents).replace("port: ", "protocol: UDP, port: "))
        wait_for(lambda: flood(ip, port, 1, 0.2) > 0, "weft by UDP", 60)
        figures = in_turns(rounds, {case: partial(rate, weft.pid, ip, port, n, seconds) for case, n in CASES.items()})
        answer.series.update(figures)
        for case, values in figures.items():
            answer.rows.append(at_least(f"datagrams per core-second, {case}", median(values), "/s", WANTED))
        answer.rows.append(Row("CPU per datagram, 16 clients", 1e6 / median(figures["16 clients"]), "us"))
    return answer


def rate(pid: int, ip: str, port: int, clients: int, seconds: float) -> float:
    before = cpu_seconds(pid)
    answers = flood(ip, port, clients, seconds)
    return 2 * answers / (cpu_seconds(pid) - before)


def flood(ip: str, port: int, clients: int, seconds: float) -> int:
    argv = [sys.executable, "-m", "benchmarks.datagrams", "flood", ip, str(port), str(clients), f"{seconds:g}"]
    done = subprocess.run(["taskset", "-c", LOAD_CORE, *argv], capture_output=True, text=True, check=True)
    return int(done.stdout)
