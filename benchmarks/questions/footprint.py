"""What Weft costs at rest: memory, time to readiness, an idle connection, a reader that does not read."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.answer import Answer, Row, at_most
from benchmarks.manifests import three
from benchmarks.measure import family, median, resident
from benchmarks.rig import HERE, Rig, free_port

NAME = "footprint"
TITLE = "Memory and start of `weft up examples/payment`, and what connections cost"
IDLE, READERS = 2000, 40
MIB = 2**20
COMPILED = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""An environment in which modules are compiled once and not at every start, as where weft is installed."""


def run(rounds: int, seconds: float) -> Answer:
    """Medians of `rounds` starts; `seconds` is how long slow readers are left alone."""
    answer = Answer(TITLE, f"VmRSS from /proc; starts: median of {rounds}; both cores free")
    starts = [start() for _ in range(rounds)]
    answer.rows.append(at_most("until /readyz answers 200", median([one[0] for one in starts]), "s", 1.5))
    answer.rows.append(
        at_most("VmRSS of weft's own processes after a scrape", median([one[1] for one in starts]), "MB", 60)
    )
    for kind in ("HTTP", "TCP"):
        answer.rows.extend(connection_costs(kind, seconds))
    answer.rows.append(Row("interpreter with nothing imported", bare(), "MB", note="for comparison"))
    return answer


def connection_costs(kind: str, seconds: float) -> list[Row]:
    """Of a weft of its own, so that no memory that it already had is used again."""
    with Rig() as rig:
        rig.start_backends()
        ip, http, tcp = "127.96.9.1", free_port(), free_port()
        port = http if kind == "HTTP" else tcp
        weft = rig.start_weft(three(ip, http, tcp, rig.backends), listens=[(ip, port)])
        warm(ip, port)
        before = resident(weft.pid)
        with connections(ip, port, IDLE, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"):
            idle = (resident(weft.pid) - before) / IDLE / 1024
        before = resident(weft.pid)
        with connections(ip, port, READERS, b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n", read=False):
            time.sleep(seconds)
            slow = (resident(weft.pid) - before) / READERS / 1024
    return [
        at_most(f"an idle {kind} connection, of {IDLE}", idle, "KiB", 8),
        at_most(f"a reader of 10 MiB over {kind} that does not read, of {READERS}", slow, "KiB", 256),
    ]


def start() -> tuple[float, float]:
    """Seconds until ready, and MB of weft's processes but not of the replicas."""
    with Rig() as rig:
        admin = free_port()
        weft = str(Path(sys.executable).with_name("weft"))
        argv = [
            weft,
            "up",
            str(HERE.parent / "examples/payment"),
            "--admin",
            f"127.0.0.1:{admin}",
            "--state",
            f"{rig.dir}/state",
        ]
        began = time.monotonic()
        process = rig.start("0,1", argv, env=COMPILED)
        while not answers(f"http://127.0.0.1:{admin}/readyz"):
            if time.monotonic() - began > 30:
                raise TimeoutError("weft up examples/payment did not become ready")
            time.sleep(0.01)
        ready = time.monotonic() - began
        answers(f"http://127.0.0.1:{admin}/metrics")
        own = [pid for pid in family(process.pid) if not is_replica(pid)]
        return ready, sum(map(resident, own)) / MIB


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.read() and answer.status == 200)
    except OSError:
        return False


def is_replica(pid: int) -> bool:
    return b"payment.app" in Path(f"/proc/{pid}/cmdline").read_bytes()


def warm(ip: str, port: int) -> None:
    """Have the process grow what it grows once, however many connections come."""
    for _ in range(2):
        with connections(ip, port, 200, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"):
            continue


@contextmanager
def connections(ip: str, port: int, count: int, request: bytes, read: bool = True) -> Iterator[None]:
    """`count` open connections, each of which has sent `request` and, if told so, read the answer."""
    with ExitStack() as stack:
        opened = []
        for _ in range(count):
            client = stack.enter_context(socket.create_connection((ip, port), timeout=10))
            client.sendall(request)
            opened.append(client)
        if read and request:
            for client in opened:
                client.recv(4096)
        time.sleep(1.0)
        yield


def bare() -> float:
    script = "import re; print(re.search(r'VmRSS:\\s*(\\d+)', open('/proc/self/status').read())[1])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout)) / 1024
