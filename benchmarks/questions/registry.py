"""A registry with 100,000 endpoints of 1,000 registrants in 5,000 Services."""

from __future__ import annotations

import re
import time
import urllib.request

from benchmarks.answer import Answer, Row, at_most
from benchmarks.measure import cpu_seconds, resident
from benchmarks.registering import EACH, REFRESH_SECONDS, change, client, register, services
from benchmarks.rig import Proxy, Rig, accepts, free_port, wait_for

NAME = "registry"
TITLE = "Registry: 100,000 endpoints of 1,000 registrants in 5,000 Services"
ENDPOINTS = 100_000
RECORDS = 3
"""Of an endpoint; the zone has SOA, NS and SOA beside."""
CHANGES = 200


def run(rounds: int, seconds: float) -> Answer:
    """One run: `rounds` and `seconds` change nothing."""
    return measure(ENDPOINTS)


def measure(endpoints: int) -> Answer:
    """The same for any multiple of 1,000 endpoints."""
    answer = Answer(TITLE, "`weft registry` in a process of its own, on one core; CPU time from /proc")
    registrants = endpoints // EACH
    with Rig() as rig:
        port = free_port()
        weft = start(rig, port, endpoints)
        register(port, endpoints, range(registrants // 10))
        few = per_change(weft.pid, port, endpoints, endpoints // 10)
        before = cpu_seconds(weft.pid)
        register(port, endpoints, range(registrants // 10, registrants))
        registering = (cpu_seconds(weft.pid) - before) / (registrants - registrants // 10)
        many = per_change(weft.pid, port, endpoints, endpoints)
        register(port, endpoints, range(registrants))  # whoever came first may be late by now
        before = cpu_seconds(weft.pid)
        register(port, endpoints, range(registrants))
        refreshing = (cpu_seconds(weft.pid) - before) / REFRESH_SECONDS
        with client(port) as made:
            began = time.monotonic()
            count = made.transfer()
            transfer = time.monotonic() - began
            serial = made.serial()
        leases = leases_of(weft)
        answer.rows.append(at_most("memory (VmRSS)", resident(weft.pid) / 1e6, "MB", 400))
        rig.end(weft.pid)
        began = time.monotonic()
        start(rig, port, endpoints)
        restart = time.monotonic() - began
        with client(port) as made:
            lost = serial - made.serial() + (count - made.transfer())
    answer.rows.extend([
        at_most("all leases refreshed: cores", refreshing, "", 0.5),
        at_most("AXFR", transfer, "s", 3),
        at_most("restart, until the first answer", restart, "s", 3),
        at_most("one change, CPU: of what it is with a tenth of the endpoints", many / few, "x", 1.5),
        at_most("records and serials lost by the restart", lost, "", 0),
        Row("one change, CPU", many * 1e6, "us"),
        Row("a registration of 100 endpoints, CPU", registering * 1e3, "ms"),
        Row("records", count, ""),
        Row("leases", leases, ""),
    ])  # fmt: skip
    return answer


def start(rig: Rig, port: int, endpoints: int) -> Proxy:
    """The registry, once it answers."""
    node = f"dns: '127.0.0.1:{port}'"
    weft = rig.start_weft(services(endpoints), node=node, role="registry")
    wait_for(lambda: accepts("127.0.0.1", port), "the registry", 120)
    with client(port) as made:
        made.serial()
    return weft


def leases_of(weft: Proxy) -> int:
    """How many leases it keeps, as its metrics say."""
    with urllib.request.urlopen(f"{weft.admin}/metrics") as page:
        [count] = re.findall(r'weft_registry_leases{zone="endpoints"} (\d+)', page.read().decode())
    return int(count)


def per_change(pid: int, port: int, endpoints: int, among: int) -> float:
    """CPU seconds of one change."""
    before = cpu_seconds(pid)
    change(port, endpoints, among, CHANGES)
    return (cpu_seconds(pid) - before) / CHANGES
