"""Hosts and targets, beyond what the table of requests holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.http1.errors import Malformed
from mesh.http1.target import read_target, valid_host


@pytest.mark.parametrize("host", [b"a", b"A.b-c", b"1.2.3.4:0", b"[::ffff:1.2.3.4]", b"a.", b"xn--a", b"a,b", b"*"])
def test_hosts(host: bytes) -> None:
    assert valid_host(host)


@pytest.mark.parametrize(
    "host", [b"", b":", b"[]", b"[::1", b"a]", b"a:-1", b"a: 1", b"a%", b"a%4", b"[1::]x", b"a" * 300]
)
def test_what_is_no_host(host: bytes) -> None:
    assert not valid_host(host)


@given(st.binary(max_size=12))
def test_no_host_holds_what_could_end_it_elsewhere(host: bytes) -> None:
    if valid_host(host):
        assert not set(host) & set(b' \t\r\n\0/?#@\\"<>')


def test_targets() -> None:
    assert read_target(b"GET", b"/a//b?c") == (b"/a//b?c", b"")
    assert read_target(b"OPTIONS", b"*") == (b"*", b"")
    assert read_target(b"GET", b"http://h:1/p?q") == (b"/p?q", b"h:1")
    with pytest.raises(Malformed):
        read_target(b"GET", b"*")
