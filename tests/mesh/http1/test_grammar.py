"""Field sections and lists."""

from __future__ import annotations

import re

import pytest

from mesh.http1.errors import Malformed
from mesh.http1.grammar import (
    MAX_HEAD,
    content_length,
    elements,
    plain_lines,
    special_fields,
    still_partial,
    stray_control,
    without,
)
from mesh.reasons import BAD_REQUEST

PLAIN = re.compile(plain_lines((b"host", b"x-forwarded-")) + rb"\r\n")


@pytest.mark.parametrize(
    ("lines", "plain"),
    [
        (b"\r\n", True),
        (b"a: b\r\n\r\n", True),
        (b"hosts: b\r\nx-forwarded: c\r\nh: d\r\n\r\n", True),
        (b"Hosts: b\r\nX-FORWARDED: c\r\n\r\n", True),
        (b"HOST: b\r\n\r\n", False),
        (b"A: b\r\nX-forwarded-For: c\r\n\r\n", False),
        (b"host: b\r\n\r\n", False),
        (b"a: b\r\nx-forwarded-for: c\r\n\r\n", False),
        (b": b\r\n\r\n", False),
        (b"a: b\nc: d\r\n\r\n", False),
        (b"a: b\r\n" * 33 + b"\r\n", False),
    ],
)
def test_plain_lines(lines: bytes, plain: bool) -> None:
    assert bool(PLAIN.fullmatch(lines)) is plain


def test_special_fields_are_found_by_name_or_beginning() -> None:
    found = special_fields((b"te", b"x-forwarded-")).findall(b"\nte:a\r\nx-te:b\r\nx-forwarded-y: c \r\nte :d\r\n")
    assert found == [(b"te", b"a"), (b"x-forwarded-y", b" c ")]


def test_elements() -> None:
    assert elements([b" A ,,b", b"\tC"]) == [b"a", b"b", b"c"]
    assert elements([b"a\xa0", b"\x0bb"]) == [b"a\xa0", b"\x0bb"]


def test_without_removes_whole_lines_only() -> None:
    assert without(b"A: b\r\nAb: c\r\na: d\r\n", {b"a"}) == b"Ab: c\r\n"


@pytest.mark.parametrize("head", [b"a\nb", b"a\rb", b"a\r\rb", b"\0", b"\x7f", b"a\r\n\x0b"])
def test_stray_controls(head: bytes) -> None:
    assert stray_control(head)


@pytest.mark.parametrize("head", [b"", b"a\r", b"a\r\nb: \t\xff\r\n"])
def test_no_stray_controls(head: bytes) -> None:
    assert not stray_control(head)


def test_content_length() -> None:
    assert content_length([b"10"], BAD_REQUEST) == 10
    with pytest.raises(Malformed):
        content_length([b"1_0"], BAD_REQUEST)


# append to tests/mesh/http1/test_grammar.py; import MAX_HEAD and still_partial there
@pytest.mark.parametrize(
    ("head", "known", "partial"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n", 10, True),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 25, False),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 26, False),
        (b"GET / HTTP/1.1\r\nHost: a\r", 20, True),
        (b"GET / HTTP/1.1\r\nHost: a\r\n", 24, True),
        (b"GET / HTTP/1.1\r\nHost: a\rb", 24, False),
        (b"GET / HTTP/1.1\r\nHost: a\n", 23, False),
        (b"GET / HTTP/1.1\r\nHost: \0", 10, False),
        (b"x" * MAX_HEAD, 10, True),
        (b"x" * (MAX_HEAD + 1), MAX_HEAD, False),
    ],
)
def test_still_partial(head: bytes, known: int, partial: bool) -> None:
    assert still_partial(head, known) is partial
