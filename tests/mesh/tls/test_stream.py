"""The stream: two of them in memory, bytes split every way, ends of every kind, and what is held back."""

from __future__ import annotations

import asyncio
import gc
import ssl
import weakref
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.tls.context import client_context, server_context
from mesh.tls.stream import AHEAD, PART, TLSStream
from tests.certificates import Authority, authority, pair
from tests.mesh.dialogue import PATIENCE

PAIR = pair("shop.example")
SERVER = server_context(PAIR.certificate, PAIR.key)
CLIENT = client_context(authority().certificate, verify=True)


class Raw:
    """A transport in memory."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.closed = self.aborted = self.ended = self.paused = False

    def write(self, data: bytes) -> None:
        self.sent.append(data)

    def take(self) -> bytes:
        data = b"".join(self.sent)
        self.sent.clear()
        return data

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    def write_eof(self) -> None:
        self.ended = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def get_write_buffer_size(self) -> int:
        return 7

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.limits = (high, low)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("127.0.0.1", 1)}.get(name, default)


class App(asyncio.Protocol):
    def __init__(self) -> None:
        self.read = b""
        self.events: list[str] = []
        self.keeps_open = False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.events.append("made")

    def data_received(self, data: bytes) -> None:
        self.read += data

    def eof_received(self) -> bool:
        self.events.append("eof")
        return self.keeps_open

    def connection_lost(self, exc: Exception | None) -> None:
        self.events.append(f"lost {type(exc).__name__}" if exc else "lost")

    def pause_writing(self) -> None:
        self.events.append("pause")

    def resume_writing(self) -> None:
        self.events.append("resume")


class End:
    """A stream between a Raw and an App; itself who minds the handshake."""

    def __init__(self, context: ssl.SSLContext, server_name: str = "") -> None:
        self.raw, self.app = Raw(), App()
        self.told: list[str] = []
        self.stream = TLSStream(self.app, context, self, server_name)

    def stirred(self) -> None:
        self.stream.shake()

    def shaken(self) -> None:
        self.told.append("shaken")

    def failed(self, error: Exception | None) -> None:
        self.told.append(f"failed {getattr(error, 'reason', None) or error}")


class Ends:
    def __init__(self, client: ssl.SSLContext = CLIENT, name: str = "shop.example") -> None:
        self.client, self.server = End(client, name), End(SERVER)
        self.server.stream.connection_made(self.server.raw)  # type: ignore[arg-type]
        self.client.stream.connection_made(self.client.raw)  # type: ignore[arg-type]

    def exchange(self, size: int = 1 << 20) -> None:
        """Carry bytes to and fro until there are none, in parts of `size`."""
        moved = True
        while moved:
            moved = False
            for one, other in ((self.client, self.server), (self.server, self.client)):
                data = one.raw.take()
                moved |= bool(data)
                for start in range(0, len(data), size):
                    other.stream.data_received(data[start : start + size])


def shaken(**more: Any) -> Ends:
    ends = Ends(**more)
    ends.exchange()
    assert (ends.client.told, ends.server.told) == (["shaken"], ["shaken"])
    assert (ends.client.app.events, ends.server.app.events) == (["made"], ["made"])
    return ends


@pytest.mark.parametrize("size", [1, 7, 100])
def test_a_handshake_in_pieces(size: int) -> None:
    ends = Ends()
    ends.exchange(size)
    assert (ends.client.told, ends.server.told) == (["shaken"], ["shaken"])


@settings(max_examples=30)
@given(st.lists(st.binary(min_size=1, max_size=40_000), max_size=4), st.integers(50, 40_000))
def test_bytes_arrive_as_they_were(messages: list[bytes], size: int) -> None:
    ends = shaken()
    for message in messages:
        ends.client.stream.write(message)
        ends.server.stream.write(message[::-1])
    ends.exchange(size)
    assert ends.server.app.read == b"".join(messages)
    assert ends.client.app.read == b"".join(message[::-1] for message in messages)


def test_what_comes_with_the_end_of_the_handshake_is_read() -> None:
    ends = Ends()
    ends.server.stream.data_received(ends.client.raw.take())
    ends.client.stream.data_received(ends.server.raw.take())
    ends.client.stream.write(b"early")
    ends.server.stream.data_received(ends.client.raw.take())
    assert ends.server.app.read == b"early"


def test_who_does_not_trust_says_so_with_an_alert() -> None:
    ends = Ends(client_context(Authority().certificate, verify=True))
    ends.exchange()
    assert ends.client.told == ["failed CERTIFICATE_VERIFY_FAILED"]
    assert ends.server.told[-1].startswith("failed TLSV1_ALERT_UNKNOWN_CA") or "ALERT" in ends.server.told[-1]
    assert ends.client.raw.closed


def test_a_handshake_that_is_cut_off() -> None:
    ends = Ends()
    ends.server.stream.connection_lost(None)
    ends.client.stream.connection_lost(ConnectionResetError())
    assert ends.server.told == ["failed None"]
    assert ends.client.told == ["failed ConnectionResetError()"] or ends.client.told[0].startswith("failed")
    assert ends.server.app.events == []


def test_nothing_more_is_taken_than_a_handshake_may_need() -> None:
    end = End(SERVER)
    end.stirred = lambda: None  # type: ignore[method-assign]  # it is not its turn
    end.stream.connection_made(end.raw)  # type: ignore[arg-type]
    for _ in range(AHEAD // 1024 + 1):
        end.stream.data_received(bytes(1024))
    assert end.told == ["failed too much before the handshake is done"]
    assert end.raw.closed
    end.stream.data_received(b"more")
    end.stream.connection_lost(None)
    assert len(end.told) == 1


def test_garbage_ends_it() -> None:
    ends = shaken()
    ends.server.stream.data_received(b"no record at all, of whatever kind")
    assert ends.server.raw.aborted
    ends.server.stream.connection_lost(None)
    assert ends.server.app.events == ["made", "lost SSLEOFError"]


# -- ends


def test_closing() -> None:
    ends = shaken()
    ends.client.stream.close()
    assert ends.client.raw.closed
    ends.client.stream.write(b"too late")
    ends.exchange()
    assert ends.server.app.events == ["made", "eof"]
    assert ends.server.raw.closed, "as it does not keep its side open"
    for end in (ends.client, ends.server):
        end.stream.connection_lost(None)
        assert end.app.events[-1] == "lost"


def test_half_closing() -> None:
    ends = shaken()
    ends.server.app.keeps_open = True
    assert ends.client.stream.can_write_eof()
    ends.client.stream.write_eof()
    assert (ends.client.raw.ended, ends.client.raw.closed) == (True, False)
    ends.exchange()
    assert ends.server.app.events == ["made", "eof"]
    assert ends.server.stream.eof_received(), "the transport stays open too"
    ends.server.stream.write(b"still here")
    ends.exchange()
    assert ends.client.app.read == b"still here"
    ends.server.stream.close()
    ends.exchange()
    assert ends.client.app.events == ["made", "eof"]


def test_an_end_without_goodbye_is_none() -> None:
    ends = shaken()
    assert not ends.server.stream.eof_received()
    ends.server.stream.connection_lost(None)
    assert ends.server.app.events == ["made", "lost SSLEOFError"]


def test_a_reset_is_told_as_it_is() -> None:
    ends = shaken()
    ends.server.stream.connection_lost(ConnectionResetError())
    assert ends.server.app.events == ["made", "lost ConnectionResetError"]


@pytest.mark.parametrize("established", [True, False])
def test_nothing_of_openssl_outlives_the_connection_even_if_the_stream_does(established: bool) -> None:
    ends = shaken() if established else Ends()
    stream = ends.server.stream
    kept = weakref.ref(stream.get_extra_info("ssl_object"))
    gc.disable()  # a collection must not be what it takes
    try:
        stream.connection_lost(None)
        assert kept() is None
    finally:
        gc.enable()
    assert stream.get_extra_info("ssl_object") is None
    stream.write(b"too late")
    stream.data_received(b"too late")
    stream.resume_reading()
    stream.close()
    stream.connection_lost(None)
    assert ends.server.raw.closed


# -- much at once


@pytest.mark.parametrize("size", [1, 3 * PART + 1, 10 * PART])
def test_many_records_at_once(size: int) -> None:
    ends = shaken()
    ends.client.stream.write(b"x" * size)
    ends.server.stream.data_received(ends.client.raw.take())
    assert ends.server.app.read == b"x" * size


def test_a_record_whose_end_comes_alone_is_handed_on_whole() -> None:
    ends = shaken()
    told: list[int] = []
    ends.server.app.data_received = lambda data: told.append(len(data))  # type: ignore[method-assign]
    ends.client.stream.write(b"x" * 2000)
    record = ends.client.raw.take()
    ends.server.stream.data_received(record[:1500])
    ends.server.stream.data_received(record[1500:])
    assert told == [2000]


# -- pausing


async def test_who_does_not_read_is_not_handed_anything() -> None:
    ends = shaken()
    ends.server.stream.pause_reading()
    assert ends.server.raw.paused
    ends.client.stream.write(b"x" * 40_000)
    ends.exchange()
    assert ends.server.app.read == b""
    ends.server.stream.resume_reading()
    async with asyncio.timeout(PATIENCE):
        while len(ends.server.app.read) < 40_000:
            await asyncio.sleep(0)
    assert not ends.server.raw.paused


async def test_pausing_in_the_midst_of_reading() -> None:
    ends = shaken()
    app = ends.server.app

    def once(data: bytes) -> None:
        app.read += data
        ends.server.stream.pause_reading()

    app.data_received = once  # type: ignore[method-assign]
    ends.client.stream.write(b"x" * 40_000)
    ends.exchange()
    assert 0 < len(app.read) < 40_000


def test_the_transport_without_is_shown_through() -> None:
    ends = shaken()
    stream = ends.server.stream
    stream.pause_writing()
    stream.resume_writing()
    assert ends.server.app.events == ["made", "pause", "resume"]
    stream.set_write_buffer_limits(1)
    assert ends.server.raw.limits == (1, None)
    assert stream.get_write_buffer_size() == 7
    assert stream.get_extra_info("peername") == ("127.0.0.1", 1)
    assert stream.get_extra_info("sslcontext") is SERVER
    assert stream.get_extra_info("ssl_object").version() == "TLSv1.3"
    stream.abort()
    assert stream.is_closing()
