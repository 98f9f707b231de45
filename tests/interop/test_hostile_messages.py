"""A registry takes a great many messages that are nearly right, by UDP and TCP: none harms it, none costs for long."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from random import Random

import dns.exception
import dns.message

from discovery.registry import tsig
from discovery.registry.messages import removed_set, soa_query, update
from discovery.registry.outline import outline
from discovery.registry.wire import HEADER, NOERROR, UPDATE_OPCODE
from tests.interop.changing import wire
from tests.interop.mutations import Mutations
from tests.interop.nameservers import KEY, ORIGIN, Client, registry_folder, zone_at
from tests.scenarios.weft import Network, Weft, running, wait_for

LARGEST_UNSIGNED = 1232
BATCH = 50
BATCHES = 20
"""Between two times that the zone is emptied."""
LATE = 10 * BATCH
"""So many messages ago an update may have been sent that is answered now."""
LAST = soa_query(0xFFFF, ORIGIN)
"""The question behind each batch, whose answer says that all before it has been read."""


def look_at(answer: bytes, sent: dict[bytes, bytes]) -> None:
    """An answer belongs to a message, can be read by others, and says yes only to updates that they can read too."""
    message = sent.get(answer[:2])
    assert message is not None, answer
    assert answer[2] & 0x80, (message, answer)
    try:
        if answer[3] & 0xF == NOERROR and message[2] >> 3 == UPDATE_OPCODE:
            read_by_others(asked(message))
        # As of a query: of an UPDATE dnspython wants the question to be for a zone, which was not our idea.
        read_by_others(answer[:2] + bytes([answer[2] & 0x87]) + answer[3:])
    except dns.exception.DNSException as error:
        raise AssertionError((message, answer)) from error


def asked(message: bytes) -> bytes:
    """What an update asks for; what else it has, in the additional section, is to be ignored (RFC 2136 section 2.5)."""
    return message[:10] + b"\0\0" + message[HEADER : outline(message).additional]


def read_by_others(message: bytes) -> None:
    with suppress(dns.message.UnknownTSIGKey):  # all before the signature is read by then
        dns.message.from_wire(message)


class Sender:
    """Sends batches of mutated messages to one server, and looks at the answers."""

    def __init__(self, where: tuple[str, int], chance: Random) -> None:
        self._where = where
        self._chance = chance
        self._mutations = Mutations(chance)
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.settimeout(2)
        self._udp.connect(where)
        self._before: dict[bytes, bytes] = {}
        self._number = 0
        self.answers = 0

    def close(self) -> None:
        self._udp.close()

    def _batch(self) -> list[bytes]:
        made = []
        for _ in range(BATCH):
            self._number = (self._number + 1) % 0xFFFF
            made.append(self._mutations.next(self._number))
        return made

    def by_udp(self) -> None:
        """Updates are answered once they are stored, so answers may come some batches late."""
        sent = {message[:2]: message for message in self._batch()}
        for message in sent.values():
            self._udp.send(message)
        self._udp.send(LAST)
        while True:
            try:
                answer = self._udp.recv(65535)
            except TimeoutError:
                self._udp.send(LAST)
                continue
            if answer[:2] == LAST[:2]:
                break
            assert len(answer) <= LARGEST_UNSIGNED or outline(answer).signature, answer
            look_at(answer, {**self._before, **sent})
            self.answers += 1
        self._before = dict([*self._before.items(), *sent.items()][-LATE:])

    def by_tcp(self) -> None:
        """A connection may be closed for what comes over it, but does not stay silent."""
        sent = {message[:2]: message for message in self._batch()}
        framed = b"".join(len(each).to_bytes(2, "big") + each for each in (*sent.values(), LAST))
        with socket.create_connection(self._where, timeout=10) as connection, connection.makefile("rb") as stream:
            try:
                at = 0
                while at < len(framed):
                    end = at + self._chance.choice((1, 10, 1000, 100_000))
                    connection.sendall(framed[at:end])
                    at = end
                while length := stream.read(2):
                    answer = stream.read(int.from_bytes(length, "big"))
                    if answer[:2] == LAST[:2]:
                        break
                    look_at(answer, sent)
                    self.answers += 1
            except ConnectionError:
                return  # it was closed


def emptied(where: tuple[str, int]) -> None:
    """Take out what the messages wrote: the zone is not to grow."""
    zone = zone_at(*where)
    assert zone is not None
    names = sorted({wire(name) for name, *_ in zone.records} - {ORIGIN})
    with closing(Client(*where)) as client:
        for at in range(0, len(names), 100):
            change = [removed_set(name) for name in names[at : at + 100]]
            answer = client.ask(tsig.sign(update(at, ORIGIN, change), KEY, time.time())[0])
            assert answer[3] & 0xF == NOERROR


def megabytes(weft: Weft) -> float:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{weft.process.pid}/status").read_text())
    assert found
    return int(found[1]) / 1024


def open_files(weft: Weft) -> int:
    return len(list(Path(f"/proc/{weft.process.pid}/fd").iterdir()))


def test_messages_that_are_nearly_right(tmp_path: Path, size: Callable[[int, int], int]) -> None:
    network = Network.random()
    host, _, port = network.dns.rpartition(":")
    where = host, int(port)
    rounds = size(3_000, 1_000_000) // BATCH // BATCHES
    with (
        running(registry_folder(tmp_path / "manifests", network), network) as weft,
        closing(Sender(where, Random(1))) as sender,
    ):
        files = open_files(weft)
        used = []
        for _ in range(rounds):
            for turn in range(BATCHES):
                sender.by_tcp() if turn % 2 else sender.by_udp()
            emptied(where)
            used.append(megabytes(weft))
        assert sender.answers > rounds * BATCH * BATCHES / 3
        wait_for(lambda: open_files(weft) <= files)
        assert weft.stop() == 0
    assert "Traceback" not in weft.told()
    assert used[-1] < used[len(used) // 2] + 8
