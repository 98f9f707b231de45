"""Header edits: what is removed, set and added, and what can never be written."""

from __future__ import annotations

import time

import pytest
from hypothesis import given

from config.filters import HeaderEdits
from mesh.filters.edits import Edits, Field, field_line
from tests.texts import texts

HEAD = b"GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nx-a: 2\r\nX-AB: 3\r\n"


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        (HeaderEdits(), HEAD),
        (HeaderEdits(add={"X-A": "9"}), HEAD + b"X-A: 9\r\n"),
        (HeaderEdits(set={"X-A": "9"}), b"GET / HTTP/1.1\r\nHost: a\r\nX-AB: 3\r\nX-A: 9\r\n"),
        (HeaderEdits(remove=("X-a",)), b"GET / HTTP/1.1\r\nHost: a\r\nX-AB: 3\r\n"),
        (HeaderEdits(remove=("x-b",)), HEAD),
        (HeaderEdits(set={"X-AB": "9"}, add={"X-AB": "8"}), HEAD[:-9] + b"X-AB: 9\r\nX-AB: 8\r\n"),
        (HeaderEdits(set={"X-Empty": ""}), HEAD + b"X-Empty: \r\n"),
        (HeaderEdits(set={"X-L": "caf\u00e9"}), HEAD + b"X-L: caf\xe9\r\n"),
    ],
    ids=["none", "add", "set", "remove", "absent", "set then add", "empty", "latin-1"],
)  # fmt: skip
def test_edits(edits: HeaderEdits, expected: bytes) -> None:
    assert Edits(edits)(HEAD) == expected


@given(texts(20), texts(20))
def test_nothing_that_is_written_ends_a_line(name: str, value: str) -> None:
    try:
        line = field_line(name, value)
    except ValueError:
        return
    assert line.endswith(b"\r\n")
    assert not set(line[:-2]) & set(b"\r\n\0")
    assert line.split(b":")[0].decode("latin-1") == name


@pytest.mark.parametrize(("name", "value"), [("A", "b\r\nC: d"), ("A\r\nB", "c"), ("A:", "b"), ("", "b"), ("A", "\0")])
def test_what_would_break_out_of_its_line_is_refused(name: str, value: str) -> None:
    for edits in (HeaderEdits(set={name: value}), HeaderEdits(add={name: value})):
        with pytest.raises(ValueError, match="no header field"):
            Edits(edits)


@pytest.mark.parametrize("name", ["", "A:", "A\r\nB", "GET / HTTP/1.1\r\nHost"])
def test_what_is_no_name_is_not_removed(name: str) -> None:
    with pytest.raises(ValueError, match="no header field is called"):
        Edits(HeaderEdits(remove=(name,)))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (b"GET / HTTP/1.1\r\nOrigin:  a b \t\r\n", b"a b"),
        (b"GET / HTTP/1.1\r\norigin:a\r\nOrigin: b\r\n", b"a"),
        (b"GET / HTTP/1.1\r\nX-Origin: a\r\n", None),
        (b"GET /Origin:x HTTP/1.1\r\nA: Origin: b\r\n", None),
    ],
)
def test_fields_are_found(lines: bytes, expected: bytes | None) -> None:
    assert Field("Origin")(lines) == expected


def test_long_white_space_costs_no_time() -> None:
    lines = b"GET / HTTP/1.1\r\nOrigin: " + b" " * 60_000 + b"x" + b"\t" * 60_000 + b"\r\n"
    began = time.process_time()
    assert Field("Origin")(lines) == b"x"
    assert Edits(HeaderEdits(remove=("Origin",)))(lines) == b"GET / HTTP/1.1\r\n"
    assert time.process_time() - began < 0.2
