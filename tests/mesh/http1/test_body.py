"""Bodies of known length, and those that end with the connection."""

from __future__ import annotations

import pytest

from mesh.http1.body import EncodedBody, EndlessBody, LengthBody


@pytest.mark.parametrize("step", [1, 2, 3, 5, 9])
def test_length_body_takes_what_is_its_own(step: int) -> None:
    raw, body = b"helloNEXT", LengthBody(5)
    out, at = b"", 0
    while not body.complete:
        out += b"".join(body.feed(raw[at : at + step]))
        at += step
    assert out == b"hello"
    assert body.rest + raw[at:] == b"NEXT"


def test_an_empty_body_is_complete() -> None:
    assert LengthBody(0).complete


def test_what_fits_is_not_copied() -> None:
    raw = b"hello"
    assert LengthBody(9).feed(raw)[0] is raw
    assert LengthBody(5).feed(raw)[0] is raw
    assert EndlessBody().feed(raw)[0] is raw


def test_encoded_body_makes_chunks() -> None:
    assert b"".join(EncodedBody().feed(b"x" * 26)) == b"1a\r\n" + b"x" * 26 + b"\r\n"
