from __future__ import annotations

import hmac

import pytest

from discovery.registry.keys import ALGORITHMS, EVERYTHING, NOTHING, Key, KeyRing, Scope, parse_key
from discovery.registry.wire import from_text, to_wire

KEY = Key((b"node-1",), "hmac-sha256", b"a secret that nobody sees")


def wire(text: str) -> bytes:
    return to_wire(from_text(text))


WRITTEN = {
    "as nsupdate takes it": ("hmac-sha512:Node-1.:c2VjcmV0", ("node-1", "hmac-sha512", b"secret")),
    "without an algorithm": ("node-1:c2VjcmV0", ("node-1", "hmac-sha256", b"secret")),
    "a name of two labels": ("a.b:c2VjcmV0", ("a.b", "hmac-sha256", b"secret")),
}


@pytest.mark.parametrize("case", WRITTEN)
def test_keys_as_they_are_written(case: str) -> None:
    text, (name, algorithm, secret) = WRITTEN[case]
    assert parse_key(text) == Key(from_text(name), algorithm, secret)


@pytest.mark.parametrize(
    "text",
    ["", "node-1", "a:b:c:d", ":c2VjcmV0", "node-1:c2Vjc", "node-1:", "hmac-md5:node-1:c2VjcmV0", "a..b:c2VjcmV0"],
)
def test_keys_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"key|none of|empty") as raised:
        parse_key(text)
    assert "c2Vjc" not in str(raised.value)


def test_a_secret_is_not_in_the_text_of_a_key() -> None:
    assert "nobody" not in f"{KEY!r}{KEY}"


SCOPES = {
    "the name itself": ("shop.default.endpoints", True),
    "beneath it": ("h1.shop.default.endpoints", True),
    "above it": ("default.endpoints", False),
    "beside it": ("ashop.default.endpoints", False),
    "the root": ("", False),
}


@pytest.mark.parametrize("case", SCOPES)
def test_what_a_scope_lets_write(case: str) -> None:
    name, may = SCOPES[case]
    assert Scope((wire("shop.default.endpoints"),)).may_write(wire(name)) is may
    assert EVERYTHING.may_write(wire(name))
    assert not NOTHING.may_write(wire(name))


def test_labels_that_look_like_the_end_of_a_name_are_not() -> None:
    scope = Scope((b"\x01a\x00",))
    assert not scope.may_write(b"\x03x\x01a\x00")


def test_who_may_do_what() -> None:
    scope = Scope((wire("shop"),))
    empty, ring = KeyRing(), KeyRing([(KEY, scope)])
    assert empty.scope(None, loopback=True) == EVERYTHING
    assert empty.scope(None, loopback=False) == NOTHING
    assert ring.scope(None, loopback=True) == NOTHING
    assert KeyRing(closed=True).scope(None, loopback=True) == NOTHING
    assert ring.scope(KEY, loopback=False) == scope
    assert ring.scope(Key(KEY.name, KEY.algorithm, b"another"), loopback=True) == NOTHING
    assert ring.keys == {KEY.name: KEY}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("size", [1, 63, 64, 65, 127, 128, 129, 500])
def test_a_mac_is_the_hmac_of_the_library(algorithm: str, size: int) -> None:
    key = Key((b"a",), algorithm, b"s" * size)
    for covered in (b"", b"text", bytes(1000)):
        assert key.mac(covered) == hmac.digest(key.secret, covered, algorithm[5:])
        assert len(key.mac(covered)) == key.size
