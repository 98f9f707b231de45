"""What one client or endpoint can cost: memory of a real ``weft up`` with clients that stall, and many that idle."""

from __future__ import annotations

import http.client
import re
import resource
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.scenarios.weft import PATIENCE, Weft, ask, wait_for
from tests.scenarios.world import ready

KIB = 1024
READER_KIB = 256
IDLE_KIB = 8
NOISE = 512 * KIB
"""What the allocator gives and takes on its own."""
BODY = 64 * KIB * KIB
"""More than all buffers of the kernel and of weft together."""
RECEIVE_BUFFER = 16 * KIB


def connect(address: str, receive_buffer: int = 0) -> socket.socket:
    host, _, port = address.rpartition(":")
    client = socket.socket()
    client.settimeout(PATIENCE)
    if receive_buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    try:
        client.connect((host, int(port)))
    except OSError:
        client.close()
        raise
    return client


def get(client: socket.socket) -> int:
    """The status of one more GET on this connection."""
    client.sendall(b"GET / HTTP/1.1\r\nHost: app\r\n\r\n")
    response = http.client.HTTPResponse(client)
    response.begin()
    response.read()
    return response.status


def settled(read: Callable[[], int], seconds: float = 0.3, much: int = 64 * KIB) -> int:
    """What `read` gives once it has moved by less than `much` for so long."""
    least = most = read()
    since = time.monotonic()

    def still() -> bool:
        nonlocal least, most, since
        now = read()
        least, most = min(least, now), max(most, now)
        if most - least >= much:
            least, most, since = now, now, time.monotonic()
        return time.monotonic() - since >= seconds

    wait_for(still)
    return read()


def resident(weft: Weft) -> int:
    """VmRSS in bytes, once it stands still, and with it the traffic."""

    def read() -> int:
        text = Path(f"/proc/{weft.process.pid}/status").read_text()
        return int(text.partition("VmRSS:")[2].split()[0]) * KIB

    def traffic() -> int:
        return int(Path(f"/proc/{weft.process.pid}/io").read_text().split()[1])

    settled(traffic)
    return settled(read)


def fill(clients: list[socket.socket], seconds: float = 0.3) -> list[int]:
    """Send on all connections until nobody has taken anything for so long; how much each of them took."""
    sent, piece = [0] * len(clients), bytes(256 * KIB)
    with selectors.DefaultSelector() as selector:
        for place, client in enumerate(clients):
            client.setblocking(False)
            selector.register(client, selectors.EVENT_WRITE, place)
        while taking := selector.select(seconds):
            for key, _ in taking:
                with suppress(BlockingIOError):
                    sent[key.data] += clients[key.data].send(piece)
    return sent


@contextmanager
def descriptors(wanted: int) -> Iterator[None]:
    """This process may open so many files meanwhile."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(wanted, hard)), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def relayed(weft: Weft) -> str:
    """Where `app` is relayed as TCP, to an echo."""
    services = weft.admin("/api/v1/services").json["services"]
    return str(next(each for each in services if each["name"] == "app")["ports"][1]["listens"][0])


def in_flight(weft: Weft) -> int:
    page = weft.admin("/metrics").body.decode()
    found = re.search(r'weft_http_requests_in_flight\{.*service="app",.*\} (\d+)', page)
    return int(found[1]) if found else 0


@pytest.mark.parametrize("framing", ["", "&chunked"])
def test_readers_that_stop_cost_little_and_hold_up_nobody(weft: Weft, framing: str, size: Callable[..., int]) -> None:
    count = size(40, 200)
    address = weft.address("app")
    request = f"GET /bytes?count={BODY}{framing} HTTP/1.1\r\nHost: app\r\n\r\n".encode()
    with ExitStack() as open_:
        for _ in range(3):  # what is allocated once is no cost of a reader
            client = open_.enter_context(connect(address, RECEIVE_BUFFER))
            client.sendall(request)
            assert client.recv(1)
        before = resident(weft)
        for _ in range(count):
            client = open_.enter_context(connect(address, RECEIVE_BUFFER))
            client.sendall(request)
            assert client.recv(1)
        assert resident(weft) - before <= count * READER_KIB * KIB + NOISE
        assert ask(address).status == 200
    wait_for(lambda: in_flight(weft) == 0)


def test_endpoints_that_stop_reading_cost_little(weft: Weft, size: Callable[..., int]) -> None:
    count = size(10, 100)
    address = weft.address("app")
    head = b"POST /hoard HTTP/1.1\r\nHost: app\r\nContent-Length: %d\r\n\r\n" % BODY
    before = resident(weft)
    with ExitStack() as open_:
        clients = [open_.enter_context(connect(address)) for _ in range(count)]
        for client in clients:
            client.sendall(head)
        sent = fill(clients)
        assert max(sent) < BODY - len(head), "nobody takes it all"
        assert resident(weft) - before <= count * READER_KIB * KIB + NOISE
        assert ask(address).status == 200
        for replica in ready(weft, "app"):
            ask(replica, "/release")
        wait_for(lambda: in_flight(weft) == 0)


def test_idle_connections_cost_little(weft: Weft, size: Callable[..., int]) -> None:
    count = size(500, 5000)
    address = weft.address("app")
    with descriptors(count + 500), ExitStack() as open_:
        clients = []
        for _ in range(50):  # what is allocated once is no cost of a connection
            open_.enter_context(connect(address))
        before = resident(weft)
        for _ in range(count):
            clients.append(open_.enter_context(connect(address)))
            assert get(clients[-1]) == 200
        assert resident(weft) - before <= count * IDLE_KIB * KIB
        assert ask(address).status == 200
        for client in clients[:: count // 50]:
            assert get(client) == 200


def test_relayed_connections_cost_little(weft: Weft, size: Callable[..., int]) -> None:
    count, address = size(500, 5000), relayed(weft)
    with descriptors(count + 500), ExitStack() as open_:
        for _ in range(50):
            open_.enter_context(connect(address))
        before = resident(weft)
        clients = [open_.enter_context(connect(address)) for _ in range(count)]
        for client in clients:
            client.sendall(b"hello")
            assert client.recv(5) == b"hello"
        assert resident(weft) - before <= count * IDLE_KIB * KIB


def test_relayed_connections_that_are_not_read_cost_little(weft: Weft, size: Callable[..., int]) -> None:
    """What is echoed is not read, so that in the end bytes wait on all four sides."""
    count, address = size(20, 100), relayed(weft)
    before = resident(weft)
    with ExitStack() as open_:
        clients = [open_.enter_context(connect(address, RECEIVE_BUFFER)) for _ in range(count)]
        fill(clients)
        assert resident(weft) - before <= count * READER_KIB * KIB + NOISE
        with connect(address) as other:
            other.sendall(b"hello")
            assert other.recv(5) == b"hello"
