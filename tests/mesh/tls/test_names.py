"""Who is shown which certificate."""

from __future__ import annotations

import ssl

import pytest

from config.meta import Named
from mesh.tls.names import Certificate, Passage, ServerNames
from tests.mesh.making import backend


def shown(name: str) -> Certificate:
    return Certificate(Named("default", name), (name,), 0.0, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))


EXACT, WILD, DEFAULT, PASSED = shown("exact"), shown("wild"), shown("default"), Passage(backend())
NAMES = ServerNames({"a.example": EXACT, "passed.example": PASSED}, {"example": WILD}, DEFAULT)


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("a.example", EXACT),
        ("b.example", WILD),
        ("passed.example", PASSED),
        ("c.b.example", DEFAULT),
        ("example", DEFAULT),
        ("", DEFAULT),
        ("other", DEFAULT),
    ],
)
def test_matching(name: str, target: object) -> None:
    assert NAMES.match(name) is target


def test_without_a_default() -> None:
    assert ServerNames().match("a") is None


def test_nothing_of_the_key_is_shown() -> None:
    assert "context" not in repr(EXACT)
