"""How long a question waits at a registry, and a change at whoever is told of it, as they see it by UDP."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing

from benchmarks.measure import meanwhile
from benchmarks.registering import ZONE, Client
from discovery.registry.content import later
from discovery.registry.messages import ixfr_query, soa_query
from discovery.registry.notify import read_notify
from discovery.registry.transfer import Apex
from discovery.registry.wire import parse_message

EVERY = 0.005
"""Seconds between two questions."""
PATIENCE = 10.0


def asked_meanwhile(port: int, act: Callable[[], object]) -> list[float]:
    """The seconds that a question for the SOA record takes while `act` is under way, in order of size."""
    waits: list[float] = []
    with closing(_connected(port)) as asking:

        def ask() -> None:
            began = time.monotonic()
            asking.send(soa_query(len(waits) & 0xFFFF, ZONE))
            asking.recv(65535)
            waits.append(time.monotonic() - began)

        with meanwhile(EVERY, ask):
            act()
    return sorted(waits)


def first_answer(port: int, seconds: float) -> float:
    """When the registry first answered, by the monotonic clock.  Raises TimeoutError."""
    until = time.monotonic() + seconds
    with closing(_connected(port)) as asking:
        asking.settimeout(0.05)
        while time.monotonic() < until:
            try:
                asking.send(soa_query(1, ZONE))
                asking.recv(65535)
            except OSError:  # nobody is there yet
                time.sleep(0.01)
            else:
                return time.monotonic()
    raise TimeoutError(f"the registry did not answer within {seconds:g} s")


def propagated(client: Client, port: int, told: socket.socket, made: Iterable[bytes]) -> Iterator[float]:
    """The seconds from the answer to each change that is `made` until who is told of it, at `told`, has it."""
    apex = Apex(ZONE, b"\0", b"\0")
    told.settimeout(PATIENCE)
    with closing(_connected(port)) as asking:
        asking.settimeout(PATIENCE)
        serial = client.serial()
        for message in made:
            client.update(message)
            began = time.monotonic()
            while True:
                notify, sender = told.recvfrom(65535)
                told.sendto(notify[:2] + b"\xa4" + notify[3:], sender)
                latest = read_notify(parse_message(notify)).serial
                if latest is not None and later(latest, serial):
                    break
            asking.send(ixfr_query(1, apex.soa(serial)))
            asking.recv(65535)
            yield time.monotonic() - began
            serial = latest


def _connected(port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.connect(("127.0.0.1", port))
    made.settimeout(PATIENCE)
    return made
