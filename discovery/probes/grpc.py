"""grpc: the health protocol (grpc.health.v1.Health/Check) over cleartext HTTP/2 (core/v1 GRPCAction).

One unary call needs little of RFC 9113: preface, SETTINGS, one HEADERS and one DATA frame out; frames in
until the stream ends.  The answer is good when the response is 200, the grpc-status 0 and the message says
SERVING.  Flow control never matters: all that is read stays under the initial window.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from urllib.parse import unquote

from discovery.health import Finding, Outcome
from discovery.probes import hpack
from discovery.probes.conversation import Manner, converse

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
METHOD = b"/grpc.health.v1.Health/Check"
SERVING = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
UNIMPLEMENTED = b"12"

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, CONTINUATION = 0, 1, 3, 4, 6, 7, 9
ACK = END_STREAM = 0x1
END_HEADERS, PADDED, PRIORITY = 0x4, 0x8, 0x20
STREAM = 1

FRAME_LIMIT = 16_384
"""Bytes of a frame: SETTINGS_MAX_FRAME_SIZE, which we leave as it is."""
TOTAL_LIMIT = 60_000
"""Bytes of a whole answer; less than the initial flow-control window."""


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def request(authority: str, service: str) -> bytes:
    """Everything that we have to say, in one piece."""
    name = service.encode()
    message = b"\x0a" + _varint(len(name)) + name if name else b""
    fields = (
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", METHOD),
        (b":authority", authority.encode()),
        (b"content-type", b"application/grpc"),
        (b"te", b"trailers"),
        (b"user-agent", b"kube-probe/weft"),
    )
    settings = struct.pack(">HIHI", 0x1, 0, 0x2, 0)  # HEADER_TABLE_SIZE 0, ENABLE_PUSH 0
    return b"".join(
        (
            PREFACE,
            frame(SETTINGS, 0, 0, settings),
            frame(HEADERS, END_HEADERS, STREAM, hpack.encode(fields)),
            frame(DATA, END_STREAM, STREAM, b"\x00" + struct.pack(">I", len(message)) + message),
        )
    )


class HealthCheck:
    """Dialogue: asks for the health of `service`, gives the finding when the stream has ended."""

    def __init__(self, authority: str, service: str) -> None:
        self._authority = authority
        self._service = service
        self._buffer = bytearray()
        self._total = 0
        self._settled = False
        self._block = b""
        self._ends_stream = False
        self._fields: dict[bytes, bytes] = {}
        self._message = b""

    def opening(self) -> bytes:
        return request(self._authority, self._service)

    def received(self, data: bytes, reply: Callable[[bytes], None]) -> Finding | None:
        """Take in `data`; SETTINGS and PING are acknowledged by `reply`."""
        self._buffer += data
        self._total += len(data)
        try:
            return self._frames(reply)
        except (hpack.HpackError, struct.error, IndexError):
            return Finding(Outcome.FAILURE, "malformed HTTP/2 answer")

    def ended(self) -> Finding:
        return Finding(Outcome.FAILURE, "connection closed before the answer was complete")

    def _frames(self, reply: Callable[[bytes], None]) -> Finding | None:
        while len(self._buffer) >= 9:
            length = int.from_bytes(self._buffer[:3], "big")
            kind, flags, stream = struct.unpack(">BBI", self._buffer[3:9])
            if not self._settled and kind != SETTINGS:
                return Finding(Outcome.FAILURE, "does not speak HTTP/2")
            if length > FRAME_LIMIT or self._total > TOTAL_LIMIT:
                return Finding(Outcome.FAILURE, "answer too large")
            if len(self._buffer) < 9 + length:
                return None
            payload = bytes(self._buffer[9 : 9 + length])
            del self._buffer[: 9 + length]
            finding = self._frame(kind, flags, stream & 0x7FFFFFFF, payload, reply)
            if finding is not None:
                return finding
        return None

    def _frame(
        self, kind: int, flags: int, stream: int, payload: bytes, reply: Callable[[bytes], None]
    ) -> Finding | None:
        if stream == STREAM:
            return self._of_stream(kind, flags, payload)
        if kind == SETTINGS and not flags & ACK:
            self._settled = True
            reply(frame(SETTINGS, ACK, 0, b""))
        elif kind == PING and not flags & ACK:
            reply(frame(PING, ACK, 0, payload[:8]))
        elif kind == GOAWAY and (struct.unpack(">II", payload[:8])[1] or payload[:4] == bytes(4)):
            return Finding(Outcome.FAILURE, "connection refused by GOAWAY")
        return None

    def _of_stream(self, kind: int, flags: int, payload: bytes) -> Finding | None:
        if kind == RST_STREAM:
            return Finding(Outcome.FAILURE, f"stream reset with HTTP/2 error {struct.unpack('>I', payload)[0]}")
        if kind == DATA:
            self._message += _unpadded(payload, flags)
            return self.judge() if flags & END_STREAM else None
        if kind not in (HEADERS, CONTINUATION):
            return None
        if kind == HEADERS:
            self._block = _unpadded(payload, flags)[5 if flags & PRIORITY else 0 :]
            self._ends_stream = bool(flags & END_STREAM)
        else:
            self._block += payload
        if not flags & END_HEADERS:
            return None
        self._fields.update(hpack.decode(self._block))
        return self.judge() if self._ends_stream else None

    def judge(self) -> Finding:
        """The stream has ended: what it said."""
        status, code = self._fields.get(b":status", b""), self._fields.get(b"grpc-status")
        if status != b"200":
            return Finding(Outcome.FAILURE, f"HTTP {status.decode('latin-1') or 'status missing'}")
        if code == UNIMPLEMENTED:
            return Finding(Outcome.FAILURE, "does not implement grpc.health.v1.Health")
        if code != b"0":
            said = unquote(self._fields.get(b"grpc-message", b"").decode("latin-1"))[:200]
            shown = "missing" if code is None else code.decode("latin-1")
            return Finding(Outcome.FAILURE, f"grpc-status {shown}" + (f": {said}" if said else ""))
        return _judge_message(self._message)


def _judge_message(message: bytes) -> Finding:
    """A length-prefixed HealthCheckResponse, whose field 1 is a ServingStatus; absent means 0, UNKNOWN."""
    body = message[5:]
    if len(message) < 5 or message[0] or int.from_bytes(message[1:5], "big") != len(body):
        return Finding(Outcome.FAILURE, "no health in the answer")
    status = body[1] if len(body) >= 2 and body[0] == 0x08 else 0
    if status == SERVING.index("SERVING"):
        return Finding(Outcome.SUCCESS)
    return Finding(Outcome.FAILURE, f"health is {SERVING[status] if status < len(SERVING) else status}")


def _unpadded(payload: bytes, flags: int) -> bytes:
    return payload[1 : len(payload) - payload[0]] if flags & PADDED else payload


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= 128:
        out.append(number % 128 + 128)
        number //= 128
    return bytes([*out, number])


async def check(host: str, port: int, service: str, preface: bytes = b"") -> Finding:
    """Ask once, after `preface` was sent; raises OSError.  The caller bounds the time."""
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return await converse(HealthCheck(authority, service), host, port, Manner(preface=preface))
