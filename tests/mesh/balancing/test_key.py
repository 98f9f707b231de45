"""Where a request's key is found, and where it is not."""

from __future__ import annotations

import time

import pytest

from config.balancing import HashKey
from mesh.balancing.key import key_of

HEAD = (
    b"GET /cart/?a=1&user_id=7&user_id=8&b HTTP/1.1\r\nHost: shop.example\r\nX-User:  ann smith \r\n"
    b"X-User: bob\r\nCookie: theme=dark; user=u1; id=a=b\r\ncookie: user=u2; late=x\r\nX-Empty:\r\n"
)


@pytest.mark.parametrize(
    ("policy", "key"),
    [
        (HashKey(header="X-User"), b"ann smith"),
        (HashKey(header="x-uSER"), b"ann smith"),
        (HashKey(header="Host"), b"shop.example"),
        (HashKey(header="User"), b""),
        (HashKey(header="X-Empty"), b""),
        (HashKey(header="X.User"), b""),
        (HashKey(cookie="user"), b"u1"),
        (HashKey(cookie="theme"), b"dark"),
        (HashKey(cookie="id"), b"a=b"),
        (HashKey(cookie="late"), b"x"),
        (HashKey(cookie="User"), b""),
        (HashKey(cookie="heme"), b""),
        (HashKey(query="user_id"), b"7"),
        (HashKey(query="a"), b"1"),
        (HashKey(query="b"), b""),
        (HashKey(query="id"), b""),
        (HashKey(source_address=True), b"10.1.2.3"),
    ],
)
def test_keys(policy: HashKey, key: bytes) -> None:
    find = key_of(policy)
    assert find is not None
    assert find(HEAD, "10.1.2.3") == key


def test_a_parameter_is_looked_for_in_the_target_alone() -> None:
    find = key_of(HashKey(query="a"))
    assert find is not None
    assert find(b"GET / HTTP/1.1\r\nReferer: /?a=1 x\r\n", "") == b""
    assert find(b"GET /a=1?b=2 HTTP/1.1\r\n", "") == b""


def test_a_connection_has_no_head() -> None:
    for policy in (HashKey(header="X"), HashKey(cookie="x"), HashKey(query="x")):
        find = key_of(policy)
        assert find is not None
        assert find(b"", "10.1.2.3") == b""


def test_no_key_is_needed() -> None:
    assert key_of(None) is None


@pytest.mark.parametrize("policy", [HashKey(cookie="x"), HashKey(query="x"), HashKey(header="x")])
@pytest.mark.parametrize("filling", [b"x;", b"y&", b"; ", b"x=;y"])
def test_no_head_takes_long(policy: HashKey, filling: bytes) -> None:
    find = key_of(policy)
    assert find is not None
    stuff = filling * 8000
    head = b"GET /?" + stuff.replace(b" ", b"+") + b" HTTP/1.1\r\nCookie: " + stuff + b"\r\n"
    began = time.thread_time()
    find(head, "")
    assert time.thread_time() - began < 0.1
