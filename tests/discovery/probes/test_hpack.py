from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.probes.hpack import LONGEST_TEXT, HpackError, decode, encode, unhuffman


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=300), st.binary(max_size=300)), max_size=6))
def test_what_is_encoded_can_be_decoded(fields: list[tuple[bytes, bytes]]) -> None:
    assert list(decode(encode(fields))) == fields


@pytest.mark.parametrize(
    ("case", "block", "fields"),
    [
        ("C.2.1: literal with indexing", "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
         [(b"custom-key", b"custom-header")]),
        ("C.2.3: never indexed", "1008 7061 7373 776f 7264 0673 6563 7265 74", [(b"password", b"secret")]),
        ("indexed status", "88", [(b":status", b"200")]),
        ("another indexed field", "82", [(b"", b"")]),
        ("C.6.1: status by name, Huffman coded", "4882 6402", [(b":status", b"302")]),
        ("a change of the table's size", "20 88", [(b":status", b"200")]),
        ("an entry of a table that we do not keep", "be", [(b"", b"")]),
    ],
)  # fmt: skip
def test_examples_of_the_rfc(case: str, block: str, fields: list[tuple[bytes, bytes]]) -> None:
    assert list(decode(bytes.fromhex(block))) == fields, case


@pytest.mark.parametrize(
    ("coded", "text"),
    [
        ("f1e3 c2e5 f23a 6ba0 ab90 f4ff", b"www.example.com"),
        ("a8eb 1064 9cbf", b"no-cache"),
        ("25a8 49e9 5ba9 7d7f", b"custom-key"),
        ("25a8 49e9 5bb8 e8b4 bf", b"custom-value"),
        ("6402", b"302"),
        ("d07a be94 1054 d444 a820 0595 040b 8166 e082 a62d 1bff", b"Mon, 21 Oct 2013 20:13:21 GMT"),
        ("9d29 ad17 1863 c78f 0b97 c8e9 ae82 ae43 d3", b"https://www.example.com"),
        ("5565 ff", b"%-."),
        ("07", b"0"),
        ("", b""),
        ("fe3f", b""),
        ("00", b""),
    ],
    ids=[
        "C.4.1",
        "C.4.2",
        "C.4.3 name",
        "C.4.3 value",
        "C.6.1",
        "C.6.1 date",
        "C.6.1 location",
        "the 6-bit symbols after the space",
        "zero",
        "nothing",
        "a long symbol",
        "bad padding",
    ],
)
def test_huffman(coded: str, text: bytes) -> None:
    assert unhuffman(bytes.fromhex(coded)) == text


def test_a_long_huffman_string_is_not_decoded() -> None:
    assert unhuffman(b"\x07" * (LONGEST_TEXT + 1)) == b""


@pytest.mark.parametrize(
    ("case", "block"),
    [
        ("a string without an end", "0005 61"),
        ("no value", "0001 61"),
        ("an integer without an end", "ffff ffff ffff ff"),
        ("an integer that is cut", "7f ff"),
    ],
)
def test_malformed(case: str, block: str) -> None:
    with pytest.raises(HpackError):
        list(decode(bytes.fromhex(block)))


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(block: bytes) -> None:
    try:
        list(decode(block))
    except HpackError:
        assert block
