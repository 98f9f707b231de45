"""Clients that connect and say half, ask and do not read, or send all that fits: others are served meanwhile."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest

from discovery.registry import messages
from discovery.registry.wire import FORMERR, IN, NOERROR, A, Record
from tests.interop.changing import wire
from tests.interop.nameservers import DOMAIN, ORIGIN, Client, registry_folder, zone_at
from tests.interop.test_hostile_messages import megabytes, open_files
from tests.scenarios.weft import Network, Weft, running, wait_for

RECORDS = 4_000
AT_ONCE = 2_000
MOST_MEGABYTES = 40.0
"""More than before, whatever clients do."""
LONGEST = 3.0
"""Seconds that others may have to wait on a busy machine."""
QUESTION = messages.soa_query(7, ORIGIN)


def where(weft: Weft) -> tuple[str, int]:
    host, _, port = weft.network.dns.rpartition(":")
    return host, int(port)


def framed(message: bytes) -> bytes:
    return len(message).to_bytes(2, "big") + message


def ask(weft: Weft, message: bytes) -> bytes:
    """The answer, by TCP."""
    with socket.create_connection(where(weft), timeout=30) as connection, connection.makefile("rb") as stream:
        connection.sendall(framed(message))
        return stream.read(int.from_bytes(stream.read(2), "big"))


@pytest.fixture(scope="module")
def weft(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weft]:
    """A registry without keys, with a zone of some size."""
    network = Network.random()
    with running(registry_folder(tmp_path_factory.mktemp("r") / "manifests", network, keys={}), network) as started:
        for at in range(0, RECORDS, AT_ONCE):
            names = (wire(f"h{number}.{DOMAIN}.") for number in range(at, at + AT_ONCE))
            update = messages.update(at, ORIGIN, [Record(name, A, IN, 5, b"\x0a\0\0\1") for name in names])
            assert ask(started, update)[3] & 0xF == NOERROR
        yield started
        assert started.stop() == 0
    assert "Traceback" not in started.told()


@contextmanager
def no_harm(weft: Weft) -> Iterator[None]:
    """Within, others are answered soon; after it, nothing is left."""
    used, files = megabytes(weft), open_files(weft)
    yield
    with closing(Client(*where(weft))) as client:
        for way in (client.ask, lambda message: ask(weft, message)):
            start = time.monotonic()
            assert way(QUESTION)[3] & 0xF == NOERROR
            assert time.monotonic() - start < LONGEST
    assert megabytes(weft) < used + MOST_MEGABYTES
    wait_for(lambda: open_files(weft) <= files + 1)


def test_half_a_message(weft: Weft) -> None:
    with no_harm(weft), ExitStack() as connections:
        for _ in range(300):
            connection = connections.enter_context(socket.create_connection(where(weft), timeout=5))
            connection.send(b"\xff\xff" + bytes(10_000))
        assert ask(weft, QUESTION)[3] & 0xF == NOERROR
        assert open_files(weft) < 300


def test_transfers_that_nobody_reads(weft: Weft, size: Callable[[int, int], int]) -> None:
    asked = b"".join(framed(messages.axfr_query(number, ORIGIN)) for number in range(40))
    with no_harm(weft), ExitStack() as connections, closing(Client(*where(weft))) as client:
        for _ in range(size(10, 40)):
            connection = connections.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(where(weft))
            connection.sendall(asked)
        for number in range(20):
            start = time.monotonic()
            record = Record(wire(f"storm{number}.{DOMAIN}."), A, IN, 5, b"\x0a\0\0\1")
            assert client.ask(messages.update(number, ORIGIN, [record]))[3] & 0xF == NOERROR
            assert time.monotonic() - start < LONGEST
    zone = zone_at(*where(weft), signed=False)
    assert zone is not None
    assert len(zone.records) == RECORDS + 20 + len(["NS"])


def changes(count: int) -> bytes:
    """An UPDATE with so many changes."""
    names = (wire(f"l{number}.{DOMAIN}.") for number in range(count))
    return messages.update(3, ORIGIN, [messages.removed_set(name, A) for name in names])


LARGE = {
    "as many changes as fit": (changes(3_600), NOERROR),
    "one that ends early": (changes(3_600)[:60_000], FORMERR),
}


@pytest.mark.parametrize("case", LARGE)
def test_updates_as_large_as_can_be(weft: Weft, case: str) -> None:
    message, expected = LARGE[case]
    with no_harm(weft), closing(Client(*where(weft))) as client, socket.create_connection(where(weft)) as connection:
        for number in range(5):
            start = time.monotonic()
            connection.sendall(framed(bytes((0, number)) + message[2:]))
            assert client.ask(QUESTION)[3] & 0xF == NOERROR
            assert time.monotonic() - start < LONGEST
        with connection.makefile("rb") as stream:
            for _ in range(5):
                answer = stream.read(int.from_bytes(stream.read(2), "big"))
                assert answer[3] & 0xF == expected
