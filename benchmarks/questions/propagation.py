"""How long a change takes from the acknowledged UPDATE to the table in force, on 50 nodes that follow one registry."""

from __future__ import annotations

import os
import sys
import time
from base64 import b64encode
from bisect import bisect_left
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from statistics import quantiles

from benchmarks.answer import Answer, Row, at_most
from benchmarks.measure import cpu_seconds
from benchmarks.registering import EACH, changes, client, register, services
from benchmarks.rig import LOAD_CORE, PROXY_CORE, Proxy, Rig, accepts, free_port, wait_for
from discovery.registry.keys import Key
from discovery.registry.wire import from_text

NAME = "propagation"
TITLE = "Propagation: from acknowledged UPDATE to table in force, 300 changes at 10 a second on 50 nodes, TSIG on"
NODES, CHANGES = 50, 300
PER_SECOND = 10
AT_ONCE = 3
"""Nodes that start at a time: each waits for things, too."""
ENDPOINTS = 200
P50, P99 = 25, 100
"""Milliseconds at most."""
CORES = f"{PROXY_CORE},{LOAD_CORE}"
KEY = Key(from_text("bench"), "hmac-sha256", b"a secret of the bench")
SECRET = f"""
---
apiVersion: v1
kind: Secret
metadata: {{name: bench}}
stringData: {{name: bench, algorithm: hmac-sha256, secret: {b64encode(KEY.secret).decode()}}}
"""


def run(rounds: int, seconds: float) -> Answer:
    """One run: `rounds` and `seconds` change nothing."""
    return measure(NODES, CHANGES)


def measure(nodes: int, count: int) -> Answer:
    """The same with any number of nodes and changes."""
    answer = Answer(
        TITLE, f"all pairs of {count} changes and {nodes} node processes (`weft node`), which share two cores"
    )
    with Rig() as rig:
        registry, port = start_registry(rig)
        register(port, ENDPOINTS, range(ENDPOINTS // EACH), KEY, terms=None)  # nobody refreshes them
        with client(port) as made:
            serial = made.serial()
        with ThreadPoolExecutor(AT_ONCE) as starting:
            started = list(starting.map(lambda number: start_node(rig, number, port), range(nodes)))
        wait_for(lambda: all(_has(_stamps(file), serial) for _, file in started), "the nodes", 300)
        pids = [registry.pid, *(node.pid for node, _ in started)]
        before = [cpu_seconds(pid) for pid in pids]
        acknowledged = {}
        with client(port, KEY) as made, first_in_line():
            began = time.monotonic()
            for number, message in enumerate(islice(changes(ENDPOINTS, ENDPOINTS), count)):
                time.sleep(max(0.0, began + number / PER_SECOND - time.monotonic()))
                made.update(message)
                acknowledged[serial + number + 1] = time.monotonic()
        wait_for(lambda: all(_has(_stamps(file), serial + count) for _, file in started), "the last change", 60)
        spent = [cpu_seconds(pid) - at for pid, at in zip(pids, before, strict=True)]
        taken = [_pairs(_stamps(file), acknowledged) for _, file in started]
    times = sorted(milliseconds for each in taken for milliseconds in each)
    cuts = quantiles(times, n=100)
    answer.rows.extend([
        at_most("p50", cuts[49], "ms", P50, f"{len(times)} pairs"),
        at_most("p99", cuts[98], "ms", P99),
        Row("largest", times[-1], "ms"),
        Row("CPU of the registry for one change", spent[0] / count * 1e3, "ms"),
        Row("CPU of a node for one change", sum(spent[1:]) / nodes / count * 1e3, "ms"),
    ])  # fmt: skip
    return answer


@contextmanager
def first_in_line() -> Iterator[None]:
    """An acknowledgement counts from when it comes, not from when 50 nodes leave a core to whoever waits for it."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    with suppress(PermissionError):  # then times come out too short
        os.setpriority(os.PRIO_PROCESS, 0, -15)
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, before)


def start_registry(rig: Rig) -> tuple[Proxy, int]:
    port = free_port()
    node = f"dns: '127.0.0.1:{port}', registry: {{keys: [{{secret: bench, writes: ['*'], transfers: true}}]}}"
    weft = rig.start_weft(services(ENDPOINTS) + SECRET, "registry", node=node, role="registry", core=CORES)
    wait_for(lambda: accepts("127.0.0.1", port), "the registry")
    return weft, port


def start_node(rig: Rig, number: int, registry: int) -> tuple[Proxy, Path]:
    """A node, and the file that it writes its stamps to."""
    stamps = rig.dir / f"node-{number}.stamps"
    node = (
        f"nodeName: node-{number}, dns: '127.0.0.1:{free_port()}', serviceRange: {{cidr: 127.{128 + number}.0.0/24}}, "
        f"ingress: {{http: '127.0.0.1:{free_port()}', https: '127.0.0.1:{free_port()}'}}, "
        f"registry: {{servers: ['127.0.0.1:{registry}'], key: bench}}"
    )
    program = (sys.executable, "-m", "benchmarks.stamping", str(stamps))
    manifests = services(ENDPOINTS) + SECRET
    return rig.start_weft(manifests, f"node-{number}", node=node, role="node", core=CORES, program=program), stamps


def _stamps(file: Path) -> list[tuple[int, float]]:
    """Serials and when they were in force, in order."""
    lines = file.read_text().splitlines() if file.exists() else []
    return [(int(serial), float(at)) for serial, at in (line.split() for line in lines if line.count(" ") == 1)]


def _has(stamps: list[tuple[int, float]], serial: int) -> bool:
    return bool(stamps) and stamps[-1][0] >= serial


def _pairs(stamps: list[tuple[int, float]], acknowledged: dict[int, float]) -> list[float]:
    """Milliseconds from each acknowledgement to the first table that holds it; one that is in force before counts 0."""
    serials = [serial for serial, _ in stamps]
    return [max(0.0, stamps[bisect_left(serials, serial)][1] - at) * 1e3 for serial, at in acknowledged.items()]
