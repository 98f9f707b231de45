"""A registry that is killed at any moment, under updates, has all that it acknowledged, and can say what changed."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from threading import Event, Thread

from discovery.registry import messages, tsig
from discovery.registry.content import Content, content_of, later
from discovery.registry.incoming import Incoming, Outcome, Steps, Whole
from discovery.registry.transfer import Apex
from discovery.registry.wire import HEADER, IN, NOERROR, A, Record, parse_part
from tests.interop.changing import wire
from tests.interop.nameservers import DOMAIN, KEY, ORIGIN, registry_folder, zone_of
from tests.scenarios.weft import Network, running

WINDOW = 8
"""Updates that wait for their answers: so many may be stored together."""
Address = tuple[str, int]
NAMES = [wire(f"h{number}.{DOMAIN}.") for number in range(100)]
LONGEST = 0.4
"""Seconds of updates before the end."""


class Writer(Thread):
    """Adds and removes records, as fast as it is answered, until `stop` is set; each name has one update at a time."""

    def __init__(self, where: Address, random: Random, there: set[bytes]) -> None:
        super().__init__()
        self.stop = Event()
        self.there = set(there)
        """Names with a record, as far as that was acknowledged."""
        self.unknown: dict[bytes, bytes] = {}
        """By id of the message: names whose update was not answered."""
        self.acknowledged = 0
        self._where = where
        self._random = random
        self._sent = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def run(self) -> None:
        with self._socket:
            self._socket.settimeout(0.2)
            self._socket.connect(self._where)
            while not self.stop.is_set():
                with suppress(OSError):
                    while len(self.unknown) < WINDOW:
                        self._send()
                    self._receive()
            with suppress(OSError):  # what is on its way yet
                while self.unknown:
                    self._receive()

    def _send(self) -> None:
        name = self._random.choice([name for name in NAMES if name not in self.unknown.values()])
        record = Record(name, A, IN, 5, b"\x0a\0\0\1")
        change = messages.removed(record) if name in self.there else record
        self._sent += 1  # equal bytes would be taken for a message that comes again
        message_id = self._sent & 0xFFFF
        self._socket.send(tsig.sign(messages.update(message_id, ORIGIN, [change]), KEY, time.time())[0])
        self.unknown[message_id.to_bytes(2, "big")] = name

    def _receive(self) -> None:
        answer = self._socket.recv(65535)
        assert answer[3] & 0xF == NOERROR
        name = self.unknown.pop(answer[:2])
        self.there ^= {name}
        self.acknowledged += 1


def transfer(where: Address, serial: int | None) -> Outcome:
    """What a secondary with that serial gets; None: it has none."""
    apex = Apex(ORIGIN, b"\0", b"\0")
    query = messages.axfr_query(1, ORIGIN) if serial is None else messages.ixfr_query(1, apex.soa(serial))
    query, mac = tsig.sign(query, KEY, time.time())
    incoming, verifier = Incoming(ORIGIN, serial), tsig.Verifier(KEY, mac)
    outcome = None
    with socket.create_connection(where, timeout=10) as connection, connection.makefile("rb") as stream:
        connection.sendall(len(query).to_bytes(2, "big") + query)
        while outcome is None:
            answer = stream.read(int.from_bytes(stream.read(2), "big"))
            assert len(answer) > HEADER
            outcome = incoming.feed(parse_part(verifier.verify(answer, time.time())))
    return outcome


def contents(where: Address) -> Content:
    whole = transfer(where, None)
    assert isinstance(whole, Whole)
    return content_of(ORIGIN, whole.serial, whole.records)


def follow(where: Address, copy: Content) -> None:
    """Have `copy` be what the registry has, by nothing but what changed."""
    steps = transfer(where, copy.serial)
    assert isinstance(steps, Steps)
    for serial, change in steps.changes:
        assert later(serial, copy.serial)
        copy.apply(change, serial)


def test_nothing_acknowledged_is_lost(tmp_path: Path, size: Callable[[int, int], int]) -> None:
    network, random = Network.random(), Random(1)
    folder = registry_folder(tmp_path / "manifests", network)
    host, _, port = network.dns.rpartition(":")
    where = host, int(port)
    copy, there, unknown = Content(ORIGIN), set[bytes](), set[bytes]()
    acknowledged, kills = 0, size(3, 200)
    for turn in range(kills + 1):
        with running(folder, network) as weft:
            now = contents(where)
            if turn:
                follow(where, copy)
                assert zone_of(copy) == zone_of(now)
            names = now.nodes.keys() - {ORIGIN}
            assert names ^ there <= unknown
            copy = now
            if turn < kills:
                writer = Writer(where, random, names)
                ends = time.monotonic() + random.uniform(0, LONGEST)
                writer.start()
                while time.monotonic() < ends:
                    follow(where, copy)
                weft.process.kill()
                writer.stop.set()
                writer.join()
                there, unknown = writer.there, set(writer.unknown.values())
                acknowledged += writer.acknowledged
            assert "Traceback" not in weft.told()
    assert acknowledged > kills
