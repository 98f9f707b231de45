"""One question to one resolver: by UDP from a port of its own, by TCP when the answer is truncated (RFC 7766).

Only what answers exactly this question, with its id and from whom it was asked, is looked at (RFC 5452).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from socket import AF_INET, AF_INET6, SOCK_DGRAM, SOCK_NONBLOCK
from typing import Final, TypeVar

from discovery.registry.render import LARGEST_UDP
from discovery.registry.resolv_conf import Resolver
from discovery.registry.wire import CD, OPT, QR, RD, TC, Malformed, Message, parse_message

T = TypeVar("T")

UDP_SECONDS: Final = 1.5
TCP_SECONDS: Final = 3.0
LARGEST: Final = 65535


class NoAnswer(Exception):
    """The resolver could not be asked, or said nothing in time."""


def question_bytes(query_id: bytes, question: bytes, flags: int, dnssec_ok: bool) -> bytes:
    """A query with recursion desired; of `flags` only CD counts."""
    header = query_id + (RD | flags & CD).to_bytes(2, "big") + b"\0\1\0\0\0\0\0\1"
    return header + question + b"\0" + (OPT << 64 | LARGEST_UDP << 48 | dnssec_ok << 31).to_bytes(10, "big")


def matching(message: bytes, query: bytes) -> Message | None:
    """`message` taken apart if it answers `query`."""
    try:
        parsed = parse_message(message)
        name, kind, klass = parse_message(query).question
    except Malformed:
        return None
    same = (parsed.question[0].lower(), *parsed.question[1:]) == (name.lower(), kind, klass)
    return parsed if same and parsed.id == query[:2] and parsed.flags & QR else None


async def ask(resolver: Resolver, query: bytes) -> Message:
    """What `resolver` says.  Raises `NoAnswer`."""
    return await converse(resolver, query, lambda message: matching(message, query), lambda it: bool(it.flags & TC))


async def converse(
    resolver: Resolver, query: bytes, read: Callable[[bytes], T | None], truncated: Callable[[T], bool]
) -> T:
    """What `read` makes of the first message that it does not refuse with None.  Raises `NoAnswer`."""
    try:
        answer = await _by_udp(resolver, query, read)
        return await _by_tcp(resolver, query, read) if truncated(answer) else answer
    except TimeoutError:
        raise NoAnswer(f"{resolver} did not answer in time") from None
    except (OSError, EOFError) as error:
        raise NoAnswer(f"{resolver} could not be asked ({error})") from None


async def _by_udp(resolver: Resolver, query: bytes, read: Callable[[bytes], T | None]) -> T:
    # No datagram endpoint: one whose opening is cancelled is left behind, and keeps uvloop from closing.
    loop = asyncio.get_running_loop()
    with socket.socket(AF_INET6 if ":" in resolver.address else AF_INET, SOCK_DGRAM | SOCK_NONBLOCK) as asking:
        asking.connect(resolver)
        asking.send(query)
        async with asyncio.timeout(UDP_SECONDS):
            while (message := read(await loop.sock_recv(asking, LARGEST))) is None:
                continue
    return message


async def _by_tcp(resolver: Resolver, query: bytes, read: Callable[[bytes], T | None]) -> T:
    async with asyncio.timeout(TCP_SECONDS):
        reader, writer = await asyncio.open_connection(*resolver)
        try:
            writer.write(len(query).to_bytes(2, "big") + query)
            length = int.from_bytes(await reader.readexactly(2), "big")
            message = read(await reader.readexactly(length))
        finally:
            writer.close()
    if message is None:
        raise NoAnswer(f"{resolver} answered something else")
    return message
