"""The admin server: metrics, health and what is configured, for scrapers, tools and ``weft status``.

It speaks on its own address and never on one that carries traffic.  Web pages of other origins must not read
it through a name that resolves to this machine (DNS rebinding), so a Host that is neither an address of this
machine nor ``localhost`` is answered 421 (RFC 9110 section 15.5.20).  What it gives is an answer, the answer to a
question (with a query), or a stream of lines that goes on until the reader leaves.  Few paths can be written, and only
with the token of the state folder, by no page of another origin (`sidecar.bearer`).
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing, suppress
from urllib.parse import parse_qs

import msgspec
from aiohttp import web

from sidecar.bearer import may_write
from sidecar.documents import Answer, Document, Query, Question, Refused, Stream, Write, slices

JSON = {"Content-Type": "application/json"}
LINES = {"Content-Type": "application/x-ndjson"}
METRICS = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}

MAX_CONNECTIONS = 128
"""Beyond this a request gets 503, and its connection is closed; beyond twice as many none is taken."""
HEAD_LIMIT = 8190
MAX_FIELDS = 200
"""Of a query."""
MAX_BODY = 24 * 1024 * 1024
WRITING = ("POST", "DELETE")
IDLE_SECONDS = 30.0
CLOSE_SECONDS = 1.0
"""How long a request that is being answered may take when the server closes: a reader may have stopped reading."""


class _Server(web.Server):
    """Takes no more connections than are allowed, whether they ask something or not."""

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        if len(self.connections) > 2 * MAX_CONNECTIONS:
            transport.abort()


class AdminServer:
    """Serves `answers`, `questions` and `streams` by path, and ``/metrics`` from the slices that `metrics` yields."""

    def __init__(
        self,
        answers: Mapping[str, Answer],
        metrics: Callable[[], Iterable[bytes]],
        questions: Mapping[str, Question] | None = None,
        streams: Mapping[str, Stream] | None = None,
        *,
        writes: Mapping[str, Write] | None = None,
        token: str = "",
    ) -> None:
        """`writes`: paths that also take the methods `WRITING`, from who has the `token`."""
        self._answers = answers
        self._metrics = metrics
        self._questions = questions or {}
        self._streams = streams or {}
        self._writes = writes or {}
        self._token = token
        self._server = _Server(
            self._handle,
            access_log=None,
            keepalive_timeout=IDLE_SECONDS,
            max_line_size=HEAD_LIMIT,
            max_field_size=HEAD_LIMIT,
        )
        self._runner = web.ServerRunner(self._server, handle_signals=False, shutdown_timeout=CLOSE_SECONDS)
        self._bound = ""

    async def start(self, sock: socket.socket) -> None:
        """Serve on `sock`, which is bound already."""
        self._bound = sock.getsockname()[0]
        await self._runner.setup()
        await web.SockSite(self._runner, sock, backlog=64).start()

    async def close(self) -> None:
        await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if refusal := self._refusal(request):
            return refusal
        if request.path == "/metrics":
            return await _stream(request, 200, METRICS, self._metrics())
        try:
            if request.path in self._streams:
                return await _follow(request, self._streams[request.path](_query(request)))
            writing = request.method in WRITING
            status, document = await self._write(request) if writing else self._answer(request)
        except Refused as refused:
            return _error(refused.status, str(refused))
        if any(isinstance(value, Iterator) for value in document.values()):
            return await _stream(request, status, JSON, slices(document))
        return web.Response(status=status, body=b"".join(slices(document)), headers=JSON)

    def _answer(self, request: web.BaseRequest) -> tuple[int, Document]:
        question = self._questions.get(request.path)
        return question(_query(request)) if question else self._answers[request.path]()

    async def _write(self, request: web.BaseRequest) -> tuple[int, Document]:
        given = (request.headers.get(name, "") for name in ("Authorization", "Origin", "Host"))
        if not self._token or not may_write(self._token, *given):
            raise Refused("writing needs the token of this weft: --state DIR names its state folder", 403)
        body = bytearray()
        async for piece in request.content.iter_any():
            body += piece
            if len(body) > MAX_BODY:
                raise Refused(f"a body of more than {MAX_BODY >> 20} MiB", 413)
        return await self._writes[request.path](request.method, _query(request), bytes(body))

    @property
    def _paths(self) -> list[str]:
        return ["/metrics", *self._answers, *self._questions, *self._streams]

    def _refusal(self, request: web.BaseRequest) -> web.Response | None:
        """The answer to a request that is not to be served, or None."""
        if len(self._server.connections) > MAX_CONNECTIONS:
            return _error(503, "too many connections to the admin server", {"Connection": "close"})
        host = request.headers.get("Host", "")
        if not host_allowed(host, self._bound):
            return _error(
                421, f"the admin server does not answer for Host {host[:255]!r}: use its address or localhost"
            )
        if request.path not in self._paths:
            return _error(404, f"no such path: {request.path[:255]}; there are {', '.join(self._paths)}")
        if request.method not in ("GET", "HEAD", *(WRITING if request.path in self._writes else ())):
            return _error(405, f"{request.path} can only be read", {"Allow": "GET, HEAD"})
        return None


async def _stream(
    request: web.BaseRequest, status: int, headers: Mapping[str, str], parts: Iterable[bytes]
) -> web.StreamResponse:
    response = web.StreamResponse(status=status, headers=headers)
    with suppress(ConnectionResetError):  # the client has left, before it or in the midst of it
        await response.prepare(request)
        for part in parts if request.method != "HEAD" else ():
            if part:  # an empty one is a pause
                await response.write(part)
            await asyncio.sleep(0)  # a slice each turn: traffic goes on while this is made
        await response.write_eof()
    return response


async def _follow(request: web.BaseRequest, lines: AsyncGenerator[bytes, None]) -> web.StreamResponse:
    response = web.StreamResponse(headers=LINES)
    async with aclosing(lines):
        with suppress(ConnectionResetError):  # the reader has left
            await response.prepare(request)
            if request.method != "HEAD":
                async for line in lines:
                    await response.write(line)
            await response.write_eof()
    return response


def _query(request: web.BaseRequest) -> Query:
    try:
        return parse_qs(request.query_string, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise Refused(f"more than {MAX_FIELDS} fields in the query") from None


def host_allowed(host: str, bound: str) -> bool:
    """Whether a Host field (``name[:port]``) may be meant for a server bound to the address `bound`."""
    name = _without_port(host).lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    own = ipaddress.ip_address(bound)
    return own.is_unspecified or address == own or address.is_loopback


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _error(status: int, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    body = msgspec.json.encode({"error": message}) + b"\n"
    return web.Response(status=status, body=body, headers={**JSON, **(headers or {})})
