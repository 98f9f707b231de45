"""A client of Prometheus' HTTP API: instant queries, some at once, each with a time limit and a bounded answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping
from ssl import SSLContext
from typing import TYPE_CHECKING, Final

from config.promql import Access
from mesh.autoscaling.external import number
from mesh.autoscaling.reading import Reading

if TYPE_CHECKING:
    import aiohttp

AT_ONCE: Final = 4
LARGEST: Final = 1 << 20
"""Bytes of an answer."""

log = logging.getLogger("weft.autoscaler")


class Prometheus:
    """Answers from `ask` on; `close` ends the connections."""

    def __init__(self, access: Access) -> None:
        """Raises ValueError for certificates that cannot be read."""
        self._access = access
        self._tls = _context(access.authorities)
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, queries: Collection[str]) -> Mapping[str, Reading]:
        """A reading for each; takes no longer than the time limit of one."""
        readings = await asyncio.gather(*map(self._asked, queries))
        return dict(zip(queries, readings, strict=True))

    async def close(self) -> None:
        """End the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _asked(self, query: str) -> Reading:
        import aiohttp

        headers = {"Authorization": self._access.authorization} if self._access.authorization else {}
        try:
            async with self._open().post(
                f"{self._access.url}/api/v1/query", data={"query": query}, headers=headers, allow_redirects=False
            ) as answer:
                body = bytearray()
                async for chunk in answer.content.iter_chunked(1 << 16):
                    body += chunk
                    if len(body) > LARGEST:
                        return Reading(failure=f"Prometheus answers with more than {LARGEST} bytes")
                if answer.status in _REFUSED or not body:
                    return Reading(failure=f"Prometheus answers with status {answer.status}")
                return number(bytes(body))
        except TimeoutError:
            return Reading(failure=f"Prometheus gave no answer within {self._access.timeout:g} s")
        except (aiohttp.ClientError, OSError) as error:
            return Reading(failure=f"Prometheus cannot be asked: {str(error) or type(error).__name__}")

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            import aiohttp

            connector = aiohttp.TCPConnector(limit=AT_ONCE, ssl=self._tls if self._tls is not None else True)
            timeout = aiohttp.ClientTimeout(total=self._access.timeout)
            self._session = aiohttp.ClientSession(
                connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._session


_REFUSED: Final = frozenset({301, 302, 303, 307, 308, 401, 403, 404})
"""What is answered with these is no answer of Prometheus."""


def _context(authorities: bytes) -> SSLContext | None:
    if not authorities:
        return None
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=authorities.decode("ascii"))
    except (ssl.SSLError, ValueError):
        raise ValueError("ca.crt holds no certificates that OpenSSL can read") from None
    return context
