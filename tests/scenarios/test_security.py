"""Clients that mean ill, before a real ``weft up``: what they can cost in memory, and in the time of all others."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from itertools import product

from tests.scenarios.test_bounds import IDLE_KIB, KIB, NOISE, connect, descriptors, resident
from tests.scenarios.weft import PATIENCE, Weft, ask

AT_ONCE = 1.0
"""Seconds that an honest client waits at most meanwhile; that is long, as the machine may be busy."""
BEGUN = b"GET / HTTP/1.1\r\nHost: app\r\nX-Slow: "
HEAD_LIMIT = 64 * KIB


def honest(address: str) -> float:
    """Seconds that a client of its own waits for its answer."""
    began = time.monotonic()
    assert ask(address).status == 200
    return time.monotonic() - began


def rest(client: socket.socket) -> bytes:
    """All that a client is sent until the end."""
    parts = []
    with suppress(ConnectionResetError):
        while part := client.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def in_turn(address: str, requests: Sequence[bytes]) -> dict[int, int]:
    """Send all on one connection, a few ahead; how often each status was told."""
    told: dict[int, int] = {}
    with connect(address) as client, client.makefile("rb") as answers:
        step = max(1, min(16, 16 * KIB // len(requests[-1])))
        for at in range(0, len(requests), step):
            few = requests[at : at + step]
            client.sendall(b"".join(few))
            for _ in few:
                status = int(answers.readline().split()[1])
                fields = http.client.parse_headers(answers)
                answers.read(int(fields["Content-Length"]))
                told[status] = told.get(status, 0) + 1
    return told


def test_slow_heads_cost_little_and_hold_up_nobody(weft: Weft, size: Callable[..., int]) -> None:
    """Here a head may take 10 seconds; a byte comes now and then."""
    count, address, waited = size(150, 5000), weft.address("app"), []
    with descriptors(count + 500), ExitStack() as open_:
        for _ in range(50):  # what is allocated once is no cost of a connection
            open_.enter_context(connect(address)).sendall(BEGUN)
        before = resident(weft)
        clients = [open_.enter_context(connect(address)) for _ in range(count)]
        for piece in (BEGUN, b"a", b"b", b"c"):
            for client in clients:
                client.sendall(piece)
            waited.append(honest(address))
        assert resident(weft) - before <= count * IDLE_KIB * KIB + NOISE
    assert max(waited) < AT_ONCE


def test_slow_heads_are_ended_at_their_deadline(weft: Weft, size: Callable[..., int]) -> None:
    """Here a head may take half a second: however often a byte comes, that is when all of them are told."""
    count, address, waited = size(150, 5000), weft.address("hurried"), []
    with descriptors(count + 500), ExitStack() as open_:
        clients = [open_.enter_context(connect(address)) for _ in range(count)]
        for client in clients:
            client.sendall(BEGUN)
        began = time.monotonic()
        while time.monotonic() - began < 0.8:
            for client in clients:
                with suppress(OSError):  # it was ended, and has been told
                    client.send(b"a")
            waited.append(honest(address))
            time.sleep(0.05)
        for client in clients:
            assert rest(client).startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - began < PATIENCE
    assert max(waited) < AT_ONCE


def test_heads_held_back_before_their_end_cost_their_size(weft: Weft, size: Callable[..., int]) -> None:
    count, address = size(30, 500), weft.address("app")
    head = BEGUN + b"y" * (HEAD_LIMIT - len(BEGUN) - 8)
    with ExitStack() as open_:
        open_.enter_context(connect(address)).sendall(head)
        before = resident(weft)
        for _ in range(count):
            open_.enter_context(connect(address)).sendall(head)
        assert resident(weft) - before <= count * 2 * HEAD_LIMIT + NOISE
        assert honest(address) < AT_ONCE


FLOODS = (
    BEGUN + b"y\r\n" + b"X: y\r\n" * 150 + b"\r\n",
    BEGUN + b"y\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
    BEGUN + b"y" * 2 * HEAD_LIMIT,
    BEGUN + b"y\r\n" + b"y" * 2 * HEAD_LIMIT,
    BEGUN + b"y\r\n" + b"X: y\r\n" * (HEAD_LIMIT // 3),
)
"""Too many fields, too long a head, and a value, a name and fields that do not end."""


def test_floods_of_fields_are_refused_again_and_again(weft: Weft, size: Callable[..., int]) -> None:
    address = weft.address("app")

    def flood(times: int) -> None:
        for head in FLOODS * times:
            with connect(address) as client:
                client.sendall(head)
                assert rest(client).startswith(b"HTTP/1.1 431 ")

    flood(3)
    before = resident(weft)
    flood(size(20, 500))
    assert honest(address) < AT_ONCE
    assert resident(weft) - before <= 2 * NOISE


def colliding(count: int) -> list[bytes]:
    """Names that have one hash in tables that multiply by 31 and add: ``Aa`` and ``BB`` do."""
    return [b"".join(pairs) for pairs in product((b"Aa", b"BB"), repeat=8)][:count]


def distinct(count: int) -> list[bytes]:
    return [b"X%015d" % (number * 7919) for number in range(count)]


def test_names_that_collide_slow_down_nobody(weft: Weft, size: Callable[..., int]) -> None:
    count, address = size(160, 3200), weft.address("app")

    def seconds(names: list[bytes]) -> float:
        lines = b"".join(name + b": y\r\n" for name in names)
        options = b", ".join(names)
        head = b"GET /taken HTTP/1.1\r\nHost: app\r\nConnection: %b\r\n%b\r\n" % (options, lines)
        began = time.monotonic()
        assert in_turn(address, [head] * count) == {200: count}
        return time.monotonic() - began

    seconds(distinct(90))
    usual = seconds(distinct(90))
    assert seconds(colliding(90)) < 5 * usual + AT_ONCE
    assert honest(address) < AT_ONCE


def requests(domain: bytes, path: bytes, first: int, last: int) -> list[bytes]:
    """Each for another host and path."""
    return [
        b"GET /%d%b HTTP/1.1\r\nHost: h%d.%b\r\nCookie: c%d=1\r\n\r\n" % (n, path, n, domain, n)
        for n in range(first, last)
    ]


def test_many_hosts_and_paths_leave_nothing_behind(weft: Weft, size: Callable[..., int]) -> None:
    count, address = size(300, 50_000), f"{weft.network.node}:8080"
    in_turn(address, requests(b"many.example", b"/taken", 0, 300))
    before, page = resident(weft), len(weft.admin("/metrics").body)
    assert in_turn(address, requests(b"many.example", b"/taken", 300, 300 + count)) == {200: count}
    assert resident(weft) - before <= 2 * NOISE
    assert len(weft.admin("/metrics").body) - page < 4 * KIB


def test_hosts_and_long_paths_that_nothing_serves_leave_little_behind(weft: Weft, size: Callable[..., int]) -> None:
    """They are remembered for a while to explain them."""
    count, address = size(600, 20_000), f"{weft.network.node}:8080"
    before, page = resident(weft), len(weft.admin("/metrics").body)
    assert in_turn(address, requests(b"none.example", b"/" + b"y" * 15_000, 0, count)) == {404: count}
    assert resident(weft) - before <= 5 * KIB * KIB
    assert len(weft.admin("/metrics").body) - page < 4 * KIB
