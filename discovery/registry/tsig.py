"""Signatures of whole messages by a shared secret (RFC 8945).

A MAC covers the message as it was before the TSIG record was put at its end, and who signed it when; that of an
answer begins with the MAC of the request, so that one belongs to the other; of a transfer's messages each begins
with the MAC of the one before.  Wall-clock time is passed in, in seconds.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from discovery.registry.keys import Key
from discovery.registry.outline import Outline, outline, repeated
from discovery.registry.wire import (
    ANY,
    HEADER,
    NOTAUTH,
    QR,
    RCODE_NAMES,
    RD,
    TSIG,
    Labels,
    Malformed,
    read_name,
    to_labels,
)

if TYPE_CHECKING:
    from hashlib import _Hash

BADSIG: Final = 16
BADKEY: Final = 17
BADTIME: Final = 18
BADTRUNC: Final = 22
ERROR_NAMES: Final = {BADSIG: "BADSIG", BADKEY: "BADKEY", BADTIME: "BADTIME", BADTRUNC: "BADTRUNC"}

FUDGE_SECONDS: Final = 300
"""How far clocks may differ."""
MOST_UNSIGNED: Final = 99
"""Messages of a transfer in a row (RFC 8945 section 5.3.1)."""
_SHORTEST_MAC: Final = 10
_ANY_CLASS: Final = ANY.to_bytes(2, "big") + bytes(4)
"""The class, and a TTL of zero."""
_FUDGE: Final = FUDGE_SECONDS.to_bytes(2, "big")
_NO_ERROR: Final = bytes(4)
"""Nor any other data."""


class Record(NamedTuple):
    """What a TSIG record says."""

    name: bytes
    algorithm: bytes
    """Both as wire bytes in lower case."""
    signed: int
    """Seconds since 1970."""
    fudge: int
    mac: bytes
    original_id: bytes
    error: int
    other: bytes

    def times(self) -> bytes:
        """The timers, as they are in the record and in the MAC."""
        return self.signed.to_bytes(6, "big") + self.fudge.to_bytes(2, "big")

    def variables(self) -> bytes:
        """What the MAC of a single message covers beside the message (section 4.3.3)."""
        error = self.error.to_bytes(2, "big") + len(self.other).to_bytes(2, "big") + self.other
        return self.name + _ANY_CLASS + self.algorithm + self.times() + error

    def rendered(self) -> bytes:
        """The whole record."""
        mac = len(self.mac).to_bytes(2, "big") + self.mac + self.original_id
        error = self.error.to_bytes(2, "big") + len(self.other).to_bytes(2, "big") + self.other
        data = self.algorithm + self.times() + mac + error
        return self.name + TSIG.to_bytes(2, "big") + _ANY_CLASS + len(data).to_bytes(2, "big") + data


class TsigError(Exception):
    """A signature that does not hold; or, `by_peer`, the other side says so of ours, maybe without one of its own."""

    def __init__(self, record: Record, error: int, by_peer: bool = False, key: Key | None = None) -> None:
        super().__init__(f"{'the other side says ' if by_peer else ''}{ERROR_NAMES.get(error, error)}")
        self.record = record
        self.error = error
        self.by_peer = by_peer
        self.key = key
        """With which the answer is signed; None: it cannot be."""


class Unsigned(TsigError):
    """An answer without the signature that it should have, as it comes from who has not the key."""

    def __init__(self, record: Record, rcode: int) -> None:
        super().__init__(record, BADSIG)
        self.args = (f"it answers {RCODE_NAMES.get(rcode, rcode)}, which is not signed",)
        self.rcode = rcode


class Verified(NamedTuple):
    """A message whose signature holds."""

    key: Key
    mac: bytes
    signed: int
    """When, by the other side's clock, in seconds since 1970."""
    message: bytes
    """Without the TSIG record."""
    parts: Outline
    """Of that message."""


def sign(message: bytes, key: Key, now: float, request_mac: bytes = b"") -> tuple[bytes, bytes]:
    """`message` with a signature at its end, and the MAC, which the answer's begins with.

    `request_mac`: that of the request, if this is an answer.
    """
    times = int(now).to_bytes(6, "big") + _FUDGE
    mac = key.mac(b"".join((_counted(request_mac), message, key.variables, times, _NO_ERROR)))
    count = (int.from_bytes(message[10:12], "big") + 1).to_bytes(2, "big")
    tail = times, key.size.to_bytes(2, "big"), mac, message[:2], _NO_ERROR
    return b"".join((message[:10], count, message[HEADER:], key.head, *tail)), mac


def open_usual(message: bytes, key: Key, now: float, request_mac: bytes = b"") -> tuple[bytes, bytes, int] | None:
    """A message whose signature by `key` is written as `sign` does, and holds: without it, its MAC, and when it was.

    None: that of others may be written otherwise, and hold as well; why one does not is found out by `verify`.
    """
    start = len(message) - 6 - key.size
    at = start - 10 - len(key.head)
    if at < HEADER or not message.startswith(key.head, at) or message[-4:] != _NO_ERROR:
        return None
    times, mac = message[start - 10 : start - 2], message[start:-6]
    signed, count = int.from_bytes(times[:6], "big"), int.from_bytes(message[10:12], "big") - 1
    is_sound = count >= 0 and times[6:] == _FUDGE and message[start - 2 : start] == key.size.to_bytes(2, "big")
    if not is_sound or abs(int(now) - signed) > FUDGE_SECONDS:
        return None
    rest = b"".join((message[2:10], count.to_bytes(2, "big"), message[HEADER:at]))
    covered = _counted(request_mac), message[-6:-4], rest, key.variables, times, _NO_ERROR
    if not hmac.compare_digest(key.mac(b"".join(covered)), mac):
        return None
    return message[:2] + rest, mac, signed


def verify(
    message: bytes, keys: Mapping[Labels, Key], now: float, request_mac: bytes = b"", parts: Outline | None = None
) -> Verified | None:
    """Check the signature of `message`; None: it has none.  `parts`: its outline, if that is known.

    Raises `Malformed` for what is no message, which is answered by FORMERR, and `TsigError`, which is answered
    by what `refusal` says.
    """
    parts = parts or outline(message)
    if not parts.signature:
        return None
    key = keys.get(to_labels(read_name(message, parts.signature)[0]))
    usual = open_usual(message, key, now, request_mac) if key is not None else None
    if key is not None and usual is not None:
        whole, mac, signed = usual
        return Verified(key, mac, signed, whole, parts._replace(signature=0))
    record = read(message, parts)
    key = known(record, keys)
    whole = stripped(message, parts)
    covered = b"".join((_counted(request_mac), record.original_id, whole[2:], record.variables()))
    check(record, key, key.mac(covered), now)
    return Verified(key, record.mac, record.signed, whole, parts._replace(signature=0))


def refusal(message: bytes, error: TsigError, now: float) -> bytes:
    """What a server says to a `message` whose signature does not hold (section 5.2)."""
    flags = QR | (int.from_bytes(message[2:4], "big") & (0x7800 | RD)) | NOTAUTH
    count, question = repeated(message, outline(message))
    answer = message[:2] + flags.to_bytes(2, "big") + count + bytes(6) + question
    request = error.record
    other = int(now).to_bytes(6, "big") if error.error == BADTIME else b""
    record = request._replace(mac=b"", original_id=message[:2], error=error.error, other=other)
    if error.key is None:
        return _with_record(answer, record)
    return _signed(answer, error.key, record, request.mac)[0]


def read(message: bytes, parts: Outline) -> Record:
    """The TSIG record of a signed message.  Raises `Malformed`."""
    name, at = read_name(message, parts.signature)
    if message[at + 2 : at + 8] != _ANY_CLASS:
        raise Malformed("a TSIG record has another class than ANY, or a TTL")
    algorithm, at = read_name(message, at + 10)
    end = at + 10 + int.from_bytes(message[at + 8 : at + 10], "big")
    other = end + 6 + int.from_bytes(message[end + 4 : end + 6], "big")
    if other != len(message):
        raise Malformed("a TSIG record ends early, or has more in it")
    signed, fudge = int.from_bytes(message[at : at + 6], "big"), int.from_bytes(message[at + 6 : at + 8], "big")
    return Record(
        name.lower(), algorithm.lower(), signed, fudge, message[at + 10 : end], message[end : end + 2],
        int.from_bytes(message[end + 2 : end + 4], "big"), message[end + 6 :],
    )  # fmt: skip


def known(record: Record, keys: Mapping[Labels, Key]) -> Key:
    """The key that `record` names.  Raises `TsigError`, or `Malformed` for a MAC that no such key makes."""
    key = keys.get(to_labels(record.name))
    if record.error in (BADSIG, BADKEY) and not record.mac:
        raise TsigError(record, record.error, by_peer=True)
    if key is None or identity(key)[1] != record.algorithm:
        raise TsigError(record, BADKEY)
    if not max(_SHORTEST_MAC, key.size // 2) <= len(record.mac) <= key.size:
        raise Malformed("a MAC is shorter than half of what it may be, or longer")
    return key


def check(record: Record, key: Key, mac: bytes, now: float) -> None:
    """Compare what was to be with what is, in the order of section 5.2.  Raises `TsigError`."""
    if not hmac.compare_digest(mac[: len(record.mac)], record.mac):
        raise TsigError(record, BADSIG)
    if record.error:
        raise TsigError(record, record.error, by_peer=True)
    if abs(int(now) - record.signed) > min(record.fudge, FUDGE_SECONDS):
        raise TsigError(record, BADTIME, key=key)
    if len(record.mac) < len(mac):
        raise TsigError(record, BADTRUNC, key=key)


def stripped(message: bytes, parts: Outline) -> bytes:
    """A signed message without its TSIG record."""
    count = int.from_bytes(message[10:12], "big") - 1
    return message[:10] + count.to_bytes(2, "big") + message[HEADER : parts.signature]


def size(key: Key) -> int:
    """Bytes of a signature by `key` as `sign` writes it."""
    return len(key.head) + 16 + key.size


def room(key: Key) -> int:
    """Bytes that a signature may need; for keys with names of about the same length the same."""
    return -size(key) // 64 * -64


def identity(key: Key) -> tuple[bytes, bytes]:
    """The names of the key and of its algorithm, as wire bytes."""
    return key.owner, key.variables[len(key.owner) + len(_ANY_CLASS) :]


def _fresh(message: bytes, key: Key, now: float) -> Record:
    return Record(*identity(key), int(now), FUDGE_SECONDS, b"", message[:2], 0, b"")


def _signed(message: bytes, key: Key, record: Record, request_mac: bytes) -> tuple[bytes, bytes]:
    mac = key.mac(_counted(request_mac) + message + record.variables())
    return _with_record(message, record._replace(mac=mac)), mac


def _with_record(message: bytes, record: Record) -> bytes:
    count = int.from_bytes(message[10:12], "big") + 1
    return message[:10] + count.to_bytes(2, "big") + message[HEADER:] + record.rendered()


def _counted(mac: bytes) -> bytes:
    return len(mac).to_bytes(2, "big") + mac if mac else b""


class Signer:
    """Signs the messages of one answer, such as a transfer's, every one of them (section 5.3.1)."""

    def __init__(self, key: Key, request_mac: bytes) -> None:
        self._key = key
        self._before = request_mac
        self._is_first = True

    def sign(self, message: bytes, now: float) -> bytes:
        """The next message, signed."""
        if self._is_first:
            self._is_first = False
            signed, self._before = sign(message, self._key, now, self._before)
            return signed
        record = _fresh(message, self._key, now)
        covered = _counted(self._before) + message + record.times()
        self._before = self._key.mac(covered)
        return _with_record(message, record._replace(mac=self._before))


class Verifier:
    """Checks the messages of one answer, of which up to 99 in a row need no signature (section 5.3.1)."""

    def __init__(self, key: Key, request_mac: bytes) -> None:
        self._key = key
        self._before = request_mac
        self._sum: _Hash | None = None
        """Of the messages that came without a signature since the last one with it, if any did."""
        self._unsigned = 0
        self._is_first = True

    @property
    def is_settled(self) -> bool:
        """Whether all so far is covered by a signature: an answer must not be used before it is."""
        return not self._is_first and not self._unsigned

    def verify(self, message: bytes, now: float) -> bytes:
        """The next message, without a TSIG record.  Raises `Malformed` and `TsigError`."""
        usual = open_usual(message, self._key, now, self._before) if self._is_first else None
        if usual is not None:
            whole, self._before, _ = usual
            self._is_first = False
            return whole
        parts = outline(message)
        if not parts.signature:
            self._unsigned += 1
            if self._is_first:
                raise Unsigned(_fresh(message, self._key, now), message[3] & 0xF)
            if self._unsigned > MOST_UNSIGNED:
                raise TsigError(_fresh(message, self._key, now), BADSIG)
            self._with(message)
            return message
        record = read(message, parts)
        known(record, {self._key.name: self._key})
        whole = stripped(message, parts)
        end = record.variables() if self._is_first else record.times()
        check(record, self._key, self._key.mac_of(self._with(record.original_id + whole[2:] + end)), now)
        self._before, self._is_first, self._sum, self._unsigned = record.mac, False, None, 0
        return whole

    def _with(self, covered: bytes) -> _Hash:
        """The sum, with what is covered next."""
        if self._sum is None:
            self._sum = self._key.inner.copy()
            self._sum.update(_counted(self._before))
        self._sum.update(covered)
        return self._sum
