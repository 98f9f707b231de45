"""A registry with 100,000 endpoints of 1,000 registrants in 5,000 Services."""

from __future__ import annotations

import re
import socket
import statistics
import time
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import islice
from urllib.error import URLError

from benchmarks.answer import Answer, Row, at_most
from benchmarks.measure import cpu_seconds, resident
from benchmarks.registering import EACH, REFRESH_SECONDS, change, changes, client, registration, services
from benchmarks.rig import Proxy, Rig, free_port, wait_for
from benchmarks.waiting import asked_meanwhile, first_answer, propagated
from discovery.registry.terms import Terms

NAME = "registry"
TITLE = "Registry: 100,000 endpoints of 1,000 registrants in 5,000 Services"
ENDPOINTS = 100_000
RECORDS = 3
"""Of an endpoint; the zone has SOA, NS and SOA beside."""
CHANGES = 200
LASTING = Terms(3600)
"""No lease expires while it is measured, however slow the machine is."""
ANEW = 20
"""Registrants that say something new while questions are asked."""
LONGEST_START = 120.0
BOTH_CORES = "0,1"


def run(rounds: int, seconds: float) -> Answer:
    """One run: `rounds` and `seconds` change nothing."""
    return measure(ENDPOINTS)


def measure(endpoints: int) -> Answer:
    """The same for any multiple of 1,000 endpoints."""
    answer = Answer(TITLE, "`weft registry` in a process of its own, started on two cores; CPU time from /proc")
    registrants = endpoints // EACH
    few, said = registrants // 10, [registration(number, endpoints, LASTING) for number in range(registrants)]
    anew = list(map(_anew, said[:ANEW]))
    with Rig() as rig, closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as told:
        told.bind(("127.0.0.1", 0))
        at = Registry(rig, endpoints, told)
        at.say(said[:few])
        with_few = at.per_change(endpoints // 10, 0)
        registering = at.say(said[few:]) / (registrants - few)
        with_all = at.per_change(endpoints, 1)
        at.say(said)  # some were changed, and are registered anew
        refreshing = at.say(said) / registrants
        leases, registered = leases_of(at.weft), at.transfer()
        while_updated = asked_meanwhile(at.port, partial(at.say, anew))
        began = time.monotonic()
        while_sent = asked_meanwhile(at.port, at.transfer)
        transfer = time.monotonic() - began
        with client(at.port) as made:
            spread = sorted(propagated(made, at.port, told, islice(changes(endpoints, endpoints, 2), CHANGES)))
            serial = made.serial()
        count, used = at.transfer(), resident(at.weft.pid)
        answering, ready = at.restart()
        with client(at.port) as made:
            lost = serial - made.serial() + (count - made.transfer())
        starting = cpu_seconds(at.weft.pid)
    answer.rows.extend([
        at_most("memory (VmRSS)", used / 1e6, "MB", 400),
        at_most("all leases refreshed: cores", refreshing * registrants / REFRESH_SECONDS, "", 0.5),
        at_most("AXFR", transfer, "s", 3),
        at_most("restart, until the first answer", answering, "s", 3),
        at_most("restart, until it is ready", ready, "s", 3),
        at_most("one change, CPU: of what it is with a tenth of the endpoints", with_all / with_few, "x", 1.5),
        at_most("records and serials lost by the restart", lost, "", 0),
        at_most("one change, from its answer to a secondary, p50", statistics.median(spread) * 1e3, "ms", 25),
        at_most("one change, from its answer to a secondary, p99", _share(spread, 0.99) * 1e3, "ms", 100),
        Row("restart, CPU until it is ready", starting, "s"),
        Row("one change, CPU", with_all * 1e6, "us"),
        Row("a registration of 100 endpoints, CPU", registering * 1e3, "ms"),
        Row("a refresh of 100 endpoints, CPU", refreshing * 1e6, "us"),
        Row("a question while 300 records at a time are registered, p99", _share(while_updated, 0.99) * 1e3, "ms"),
        Row("a question while the zone is transferred, p99", _share(while_sent, 0.99) * 1e3, "ms"),
        Row("records", registered, ""),
        Row("leases", leases, ""),
    ])  # fmt: skip
    return answer


class Registry:
    """The registry in question; it runs when this is made."""

    def __init__(self, rig: Rig, endpoints: int, told: socket.socket) -> None:
        """`told`: where it sends NOTIFY to, and where it is not asked."""
        self._rig = rig
        self._endpoints = endpoints
        self._turn = 0
        self.port = free_port()
        self._node = f"dns: '127.0.0.1:{self.port}', registry: {{alsoNotify: ['127.0.0.1:{told.getsockname()[1]}']}}"
        self.restart()

    def restart(self) -> tuple[float, float]:
        """Start it, once more: the seconds until it answers, and until it is ready."""
        if self._turn:
            self._rig.end(self.weft.pid)
        manifests = services(self._endpoints)
        began = time.monotonic()
        with ThreadPoolExecutor(1) as beside:
            answering = beside.submit(first_answer, self.port, LONGEST_START)
            self.weft = self._rig.start_weft(manifests, node=self._node, role="registry", core=BOTH_CORES)
            wait_for(self._is_ready, "the registry", LONGEST_START)
            ready = time.monotonic() - began
            return answering.result() - began, ready

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.weft.admin}/readyz", timeout=1):
                return True
        except (URLError, TimeoutError):
            return False

    def say(self, messages: Sequence[bytes]) -> float:
        """Have these messages carried out, each with an id that makes it another one: the CPU seconds that it took."""
        before = cpu_seconds(self.weft.pid)
        with client(self.port) as made:
            for message in messages:
                self._turn += 1
                made.update((self._turn & 0xFFFF).to_bytes(2, "big") + message[2:])
        return cpu_seconds(self.weft.pid) - before

    def per_change(self, among: int, turn: int) -> float:
        """CPU seconds of one change."""
        before = cpu_seconds(self.weft.pid)
        change(self.port, self._endpoints, among, CHANGES, turn=turn)
        return (cpu_seconds(self.weft.pid) - before) / CHANGES

    def transfer(self) -> int:
        """Take the whole zone: how many records it has."""
        with client(self.port) as made:
            return made.transfer()


def _anew(message: bytes) -> bytes:
    """The same registration, but for a text that every endpoint has besides: as many bytes say so."""
    return message.replace(b"zone=zone-a", b"zone=zone-b")


def _share(figures: Sequence[float], share: float) -> float:
    """The one below which this share of them lies."""
    return figures[min(int(len(figures) * share), len(figures) - 1)]


def leases_of(weft: Proxy) -> int:
    """How many leases it keeps, as its metrics say."""
    with urllib.request.urlopen(f"{weft.admin}/metrics") as page:
        [count] = re.findall(r'weft_registry_leases{zone="endpoints"} (\d+)', page.read().decode())
    return int(count)
