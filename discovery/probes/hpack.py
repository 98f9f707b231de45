"""HPACK (RFC 7541), as much as one exchange with a known peer needs: no dynamic table.

We tell the peer SETTINGS_HEADER_TABLE_SIZE = 0 before our request, so what it sends is literals and entries
of the static table, perhaps Huffman coded.  Of the static table only the entries that a response to us uses
are known by name; of the Huffman code the letters, digits and punctuation of up to 8 bits, which is what
statuses and messages are made of.  What cannot be read is empty, and never an error by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

STATUS_INDEXES = {8: b"200", 9: b"204", 10: b"206", 11: b"304", 12: b"400", 13: b"404", 14: b"500"}
LONGEST_TEXT = 512
"""Bytes of a Huffman coded string that are decoded; longer ones read as empty."""

# Appendix B is a canonical code: in each length the codes are consecutive.  (bits, first code, symbols)
_HUFFMAN = (
    (5, 0x00, b"012aceiost"),
    (6, 0x14, b" %-./3456789=A_bdfghlmnpru"),
    (7, 0x5C, b":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz"),
    (8, 0xF8, b"&*,;XZ"),
)


class HpackError(Exception):
    """The block is not HPACK."""


def encode(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Header fields as literals without indexing, names and values plain (section 6.2.2)."""
    return b"".join(b"\x00" + _string(name) + _string(value) for name, value in fields)


def decode(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The fields of `block`, those with an unknown name under ``b""``; raises HpackError."""
    at = 0
    while at < len(block):
        first = block[at]
        if first & 0x80:
            index, at = _integer(block, at, 7)
            yield (b":status", STATUS_INDEXES[index]) if index in STATUS_INDEXES else (b"", b"")
        elif first & 0xE0 == 0x20:
            _, at = _integer(block, at, 5)
        else:
            index, at = _integer(block, at, 6 if first & 0x40 else 4)
            name = b":status" if index in STATUS_INDEXES else b""
            if not index:
                name, at = _text(block, at)
            value, at = _text(block, at)
            yield name, value


def unhuffman(coded: bytes) -> bytes:
    """`coded` as text; empty if it holds a symbol of more than 8 bits, or is too long to be of interest."""
    if len(coded) > LONGEST_TEXT:
        return b""
    bits = int.from_bytes(coded, "big")
    left = 8 * len(coded)
    text = bytearray()
    while left > 0:
        for length, lowest, symbols in _HUFFMAN:
            code = (bits >> (left - length)) & ((1 << length) - 1) if left >= length else -1
            if 0 <= code - lowest < len(symbols):
                text.append(symbols[code - lowest])
                left -= length
                break
        else:
            padding = (1 << left) - 1
            return bytes(text) if left < 8 and bits & padding == padding else b""
    return bytes(text)


def _string(text: bytes) -> bytes:
    """A plain string literal (section 5.2)."""
    if len(text) < 127:
        return bytes([len(text)]) + text
    rest, length = len(text) - 127, b"\x7f"
    while rest >= 128:
        length += bytes([rest % 128 + 128])
        rest //= 128
    return length + bytes([rest]) + text


def _text(block: bytes, at: int) -> tuple[bytes, int]:
    """The string at `at`, and where it ends."""
    if at >= len(block):
        raise HpackError("a string is missing")
    huffman = block[at] & 0x80
    length, at = _integer(block, at, 7)
    if at + length > len(block):
        raise HpackError("a string is longer than its block")
    raw = block[at : at + length]
    return (unhuffman(raw) if huffman else raw), at + length


def _integer(block: bytes, at: int, prefix: int) -> tuple[int, int]:
    """The integer at `at` with a prefix of that many bits (section 5.1), and where it ends."""
    mask = (1 << prefix) - 1
    value = block[at] & mask
    at += 1
    if value < mask:
        return value, at
    for shift in range(0, 28, 7):
        if at >= len(block):
            break
        value += (block[at] & 0x7F) << shift
        at += 1
        if not block[at - 1] & 0x80:
            return value, at
    raise HpackError("an integer does not end")
