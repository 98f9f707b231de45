"""A message that asks for more than a record, on its way through the authority."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import Final, NamedTuple, Protocol

from discovery.registry import tsig
from discovery.registry.outline import Outline, repeated
from discovery.registry.render import LARGEST_UDP, SMALLEST_UDP, udp_limit
from discovery.registry.tsig import Signer, Verified
from discovery.registry.wire import HEADER, OPT, QR, RD, TC, Malformed, Query, parse_end, parse_query

DNSSEC_OK: Final = 0x8000
"""In the TTL of an OPT record (RFC 3225)."""

Send = Callable[[bytes | None], None]
"""Takes the answer, once; None: there is to be none."""


Reply = Callable[[bytes], None]
"""Takes the answer, where there always is one."""


class Stream(Protocol):
    """A TCP connection that takes several messages for one answer."""

    def write(self, message: bytes) -> None:
        """One message more, before the one that `Send` is given."""

    async def room(self) -> None:
        """Wait until most of what was written has been taken.  Raises ConnectionError when the other side is gone."""


class Elsewhere(Protocol):
    """Looks up what is not ours."""

    def look_up(self, query: Query, client: str, tcp: bool, send: Reply) -> None:
        """Answer `query` of the address `client` by calling `send` once, now or later."""


class Asked(NamedTuple):
    """A message whose signature holds, or that has none."""

    message: bytes
    """Without the TSIG record."""
    parts: Outline
    client: str
    verified: Verified | None
    sender: Send
    stream: Stream | None
    """None: it came by UDP."""
    wall: Callable[[], float]
    """Seconds since 1970."""

    @property
    def zone(self) -> bytes:
        """The name that it is about, in lower case."""
        return self.message[HEADER : self.parts.answers - 4].lower()

    @property
    def type(self) -> int:
        """What is asked for."""
        return type_of(self.message, self.parts)

    @property
    def question(self) -> bytes:
        """Name, type and class, as they came."""
        return self.message[HEADER : self.parts.answers]

    @property
    def owner(self) -> bytes:
        """The name of the key that signed it; empty: none."""
        return self.verified.key.owner if self.verified else b""

    @property
    def is_loopback(self) -> bool:
        """Whether it came from this machine."""
        return ip_address(self.client.partition("%")[0]).is_loopback

    @property
    def room_for_signature(self) -> int:
        """Bytes that a signature of the answer may need."""
        return 0 if self.verified is None else tsig.room(self.verified.key)

    @property
    def opt(self) -> bytes:
        """The OPT record of the answer, for who sent one (RFC 6891 section 6.1.1); empty: none."""
        try:
            additional = parse_end(self.message, self.parts.additional).additional
        except Malformed:
            return b""
        flags = [record.ttl & DNSSEC_OK for record in additional if record.type == OPT]
        return b"\0" + (OPT << 64 | LARGEST_UDP << 48 | flags[0] << 16).to_bytes(10, "big") if flags else b""

    def send(self, answer: bytes | None) -> None:
        """Answer by one message, signed if the question was."""
        if answer is not None and self.verified is not None:
            answer = tsig.sign(answer, self.verified.key, self.wall(), self.verified.mac)[0]
        self.sender(answer)

    def send_found(self, answer: bytes | None) -> None:
        """`send` what was made without room for a signature, and may not fit with it (RFC 8945 section 5.3)."""
        if answer is not None and self.verified is not None and self.stream is None:
            size = len(answer) + tsig.size(self.verified.key)
            if size > SMALLEST_UDP and size > udp_limit(parse_query(self.message)):
                flags = (int.from_bytes(answer[2:4], "big") | TC) & ~0xF
                answer = answer[:2] + flags.to_bytes(2, "big") + b"\0\1" + bytes(6) + self.question
        self.send(answer)

    def refuse(self, rcode: int) -> None:
        """Answer by an rcode and nothing else."""
        answer, opt = error(self.message, self.parts, rcode), self.opt
        self.send(answer[:10] + b"\0\1" + answer[12:] + opt if opt else answer)

    def refuse_as_too_old(self) -> None:
        """Answer a signed message that may have been here before, nobody can tell (RFC 8945 section 5.2.3)."""
        assert self.verified is not None
        key, mac, signed, *_ = self.verified
        record = tsig.Record(*tsig.identity(key), signed, tsig.FUDGE_SECONDS, mac, self.message[:2], 0, b"")
        fault = tsig.TsigError(record, tsig.BADTIME, key=key)
        self.sender(tsig.refusal(self.message, fault, self.wall()))

    def signer(self) -> Callable[[bytes], bytes]:
        """Signs the messages of one answer, if that is to be signed."""
        if self.verified is None:
            return lambda message: message
        signer = Signer(self.verified.key, self.verified.mac)
        return lambda message: signer.sign(message, self.wall())


def type_of(message: bytes, parts: Outline) -> int:
    """The type in the question."""
    return int.from_bytes(message[parts.answers - 4 : parts.answers - 2], "big")


def error(message: bytes, parts: Outline, rcode: int) -> bytes:
    """A header and the question, if that can be read, with an rcode."""
    flags = QR | (int.from_bytes(message[2:4], "big") & (0x7800 | RD)) | rcode
    count, question = repeated(message, parts)
    return message[:2] + flags.to_bytes(2, "big") + count + bytes(6) + question
