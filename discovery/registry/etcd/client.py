"""A client of etcd's JSON gateway (etcd v3 API, ``/v3/...``): calls, and the stream of a watch.

Bytes are base64 in that, 64-bit numbers are strings, and what is zero or empty is left out.  A call goes to one
endpoint, and to the next only if the first cannot be reached at all; whoever gets an error does not know whether the
call was carried out.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode
from collections.abc import AsyncGenerator, AsyncIterator
from io import BytesIO
from ssl import SSLContext
from typing import Any, Final, NamedTuple

import aiohttp
import msgspec

from discovery.registry.store import StoreError

Json = dict[str, Any]

CALL_SECONDS: Final = 3.0
IDLE_SECONDS: Final = 10.0
"""That a watch may be silent: the connection could be dead, and to begin it anew costs little."""
LARGEST: Final = 256 << 20
"""Bytes of one message of a watch."""
UNAUTHENTICATED: Final = 401


class Access(NamedTuple):
    """Where etcd is, and who asks."""

    endpoints: tuple[str, ...]
    """Such as ``https://etcd-1.example:2379``."""
    tls: SSLContext | None = None
    user: str = ""
    """Empty: etcd asks for none."""
    password: str = ""


class Etcd:
    """Calls of one etcd; `close` ends the connections.  All raise `StoreError`."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._turn = 0
        self._token = ""
        self._session: aiohttp.ClientSession | None = None
        self._watched: aiohttp.ClientResponse | None = None

    @property
    def endpoint(self) -> str:
        """The one that is asked now."""
        return self._access.endpoints[self._turn % len(self._access.endpoints)]

    async def call(self, path: str, body: Json, seconds: float = CALL_SECONDS) -> Json:
        """The answer to one request, such as ``kv/txn``."""
        try:
            async with asyncio.timeout(seconds):
                return await self._answer(path, body)
        except TimeoutError:
            silent, self._turn = self.endpoint, self._turn + 1
            raise StoreError(f"etcd at {silent} gave no answer to {path} within {seconds:g} s") from None

    async def watch(self, body: Json) -> AsyncGenerator[Json]:
        """What a watch says, message by message, until it is silent for too long.  To be closed by who uses it."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CALL_SECONDS, sock_read=IDLE_SECONDS)
        await self._sign_in()
        try:
            async with self._open().post(
                f"{self.endpoint}/v3/watch", data=msgspec.json.encode(body), headers=self._headers(), timeout=timeout
            ) as response:
                self._watched = response
                async for line in _lines(response):
                    said = self._read(line)
                    if "result" not in said:
                        self._token = ""
                        raise StoreError(f"etcd at {self.endpoint} ended a watch: {_reason(said)}")
                    yield said["result"]
            raise StoreError(f"etcd at {self.endpoint} ended a watch")
        except aiohttp.ServerTimeoutError:
            return
        except (aiohttp.ClientError, OSError) as error:
            raise self._lost(error) from None
        finally:
            self._watched = None

    def hang_up(self) -> None:
        """End the connection of the watch, from which nothing comes any more."""
        if self._watched is not None:
            self._watched.close()

    async def close(self) -> None:
        """End all connections."""
        if self._session is not None:
            await self._session.close()

    async def _answer(self, path: str, body: Json) -> Json:
        await self._sign_in()
        status, said = await self._post(path, body)
        if status == UNAUTHENTICATED and self._token:  # tokens do not outlive etcd's process
            self._token = ""
            await self._sign_in()
            status, said = await self._post(path, body)
        if status != 200:
            raise StoreError(f"etcd at {self.endpoint} refuses {path}: {_reason(said)}")
        return said

    async def _sign_in(self) -> None:
        if self._access.user and not self._token:
            name, password = self._access.user, self._access.password
            status, said = await self._post("auth/authenticate", {"name": name, "password": password})
            if status != 200:
                raise StoreError(f"etcd at {self.endpoint} does not let in {name}: {_reason(said)}")
            self._token = said.get("token", "")

    async def _post(self, path: str, body: Json) -> tuple[int, Json]:
        """The status and what was said, by the first endpoint that can be reached."""
        data = msgspec.json.encode(body)
        for remaining in range(len(self._access.endpoints), 0, -1):
            try:
                async with self._open().post(
                    f"{self.endpoint}/v3/{path}", data=BytesIO(data), headers=self._headers()
                ) as answer:
                    return answer.status, self._read(await answer.read())
            except aiohttp.ClientConnectorError as error:
                lost = self._lost(error)
                if remaining == 1:
                    raise lost from None
            except (aiohttp.ClientError, OSError) as error:
                raise self._lost(error) from None
        raise StoreError("etcd has no endpoints")

    def _lost(self, error: Exception) -> StoreError:
        lost, self._turn = self.endpoint, self._turn + 1
        return StoreError(f"etcd at {lost}: {str(error) or type(error).__name__}")

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(ssl=self._access.tls if self._access.tls is not None else True)
            self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None))
        return self._session

    def _headers(self) -> dict[str, str]:
        return {"Authorization": self._token} if self._token else {}

    def _read(self, text: bytes) -> Json:
        try:
            return msgspec.json.decode(text, type=Json)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise StoreError(f"what answers at {self.endpoint} is no etcd: {text[:100]!r}") from None


async def _lines(response: aiohttp.ClientResponse) -> AsyncGenerator[bytes]:
    """The lines of a body, however long."""
    held: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            line = b"".join((*held, end))
            held, size = [], 0
            if line:
                yield line
        held.append(rest)
        size += len(rest)
        if size > LARGEST:
            raise StoreError(f"etcd says more than {LARGEST} bytes at once")


def _reason(said: Json) -> str:
    error = said.get("error", "")
    return str(error.get("message", error) if isinstance(error, dict) else error or said)


def revision_of(answer: Json) -> int:
    """The revision of etcd when it answered.  Raises `StoreError` for what is no answer of etcd."""
    try:
        return int(answer["header"]["revision"])
    except (LookupError, TypeError, ValueError):
        raise StoreError(f"etcd's answer has no revision: {str(answer)[:100]}") from None


def text(data: bytes) -> str:
    """Bytes as the gateway takes them."""
    return b64encode(data).decode("ascii")


def range_end(prefix: bytes) -> bytes:
    """Where the keys that begin with `prefix` end."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else b"\0"


async def pages(etcd: Etcd, prefix: bytes, size: int) -> AsyncIterator[Json]:
    """What ``kv/range`` says of the keys beneath a prefix, `size` at once, all as they are at one revision."""
    request: Json = {"key": text(prefix), "range_end": text(range_end(prefix)), "limit": str(size)}
    is_more = True
    while is_more:
        page = await etcd.call("kv/range", request)
        request.setdefault("revision", str(revision_of(page)))
        yield page
        is_more = bool(page.get("more"))
        if is_more:
            request["key"] = text(b64decode(page["kvs"][-1]["key"]) + b"\0")
