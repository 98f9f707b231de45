"""An endpoint that reads requests with llhttp, which is not ours, and the reading of what clients were sent."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httptools

from tests.mesh.dialogue import Wire
from tests.mesh.smuggling.making import Response, Seen, Told


class _Reader:
    """One connection's requests, as llhttp tells of them."""

    def __init__(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self.complete: list[Seen] = []
        self.heads = 0
        self._begin()

    def _begin(self) -> None:
        self._target = self._body = b""
        self._framing: list[str] = []

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        framing = {b"content-length": "length", b"transfer-encoding": "chunked"}.get(name.lower())
        if framing is not None:
            self._framing.append(framing)

    def on_headers_complete(self) -> None:
        self.heads += 1

    def on_body(self, data: bytes) -> None:
        self._body += data

    def on_message_complete(self) -> None:
        self.complete.append(Seen(self._target, "+".join(self._framing) or "none", self._body))
        self._begin()


class Judge:
    """Answers every request with its target, and requests for /case with `response`."""

    def __init__(self) -> None:
        self.response: Response | None = None
        self.forget()

    def forget(self) -> None:
        self.seen: list[Seen] = []
        """Whole requests."""
        self.methods: list[bytes] = []
        self.raw = b""
        self.errors: list[str] = []

    async def __call__(self, wire: Wire) -> None:
        reader = _Reader()
        while data := await wire.reader.read(65_536):
            self.raw += data
            try:
                reader.parser.feed_data(data)
            except httptools.HttpParserUpgrade:
                self.errors.append("a request to switch protocols")
            except httptools.HttpParserError as error:
                self.errors.append(f"llhttp: {error}")
                return
            for request in reader.complete:
                if request.target == b"/case":
                    assert self.response is not None
                    await wire.send(self.response.data)
                    if self.response.closes:
                        return
                    continue
                self.seen.append(request)
                head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(request.target)
                await wire.send(head if reader.parser.get_method() == b"HEAD" else head + request.target)
            reader.complete.clear()


def replies(data: bytes, heads_only: bool = False) -> Iterator[Told]:
    """The final responses in all that a client was sent; bytes that belong to none are one of status 0."""
    while data:
        head, end, data = data.partition(b"\r\n\r\n")
        if not (head.startswith(b"HTTP/1.1 ") and end and head[9:12].isdigit()):
            yield Told(0, head + end + data)
            return
        status = int(head[9:12])
        if status < 200:
            continue
        lines = (line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:])
        told, data = _body(status, {name: value.strip() for name, value in lines}, data, heads_only)
        yield told


def _body(status: int, fields: dict[bytes, bytes], data: bytes, heads_only: bool) -> tuple[Told, bytes]:
    if heads_only or status in (204, 304):
        return Told(status), data
    if b"content-length" in fields:
        length = int(fields[b"content-length"])
        return Told(status, data[:length], len(data) >= length), data[length:]
    if b"transfer-encoding" not in fields:
        return Told(status, data), b""
    body = b""
    while line := data.partition(b"\r\n")[0]:
        size, data = int(line.partition(b";")[0], 16), data.partition(b"\r\n")[2]
        if not size:
            _, end, data = (b"\r\n" + data).partition(b"\r\n\r\n")
            return Told(status, body, bool(end)), data
        if len(data) < size + 2:
            break
        body, data = body + data[:size], data[size + 2 :]
    return Told(status, body, whole=False), b""


async def send_in_pieces(wire: Wire, data: bytes, pieces: int) -> None:
    """Send so that the other side reads it in about so many pieces; it may have enough before the last."""
    step = -(-len(data) // pieces)
    for at in range(0, len(data), step):
        if wire.reader.at_eof():
            return
        await wire.send(data[at : at + step])
        for _ in range(3 if pieces > 1 else 0):
            await asyncio.sleep(0)
