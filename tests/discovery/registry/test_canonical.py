from __future__ import annotations

import dns.rdata
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.registry.canonical import canonical

TEXTS = {
    "A": "10.0.0.1", "AAAA": "fd00::1", "NS": "NS.Example.", "CNAME": "A.b.", "PTR": ".",
    "SOA": "Ns.a. Host.A. 1 2 3 4 5", "MX": "1 Mail.A.", "SRV": "1 2 3 Target.A.", "TXT": '"Ready=True" "x"',
    "HINFO": "Cpu Os", "DNAME": "A.b.", "HTTPS": "1 . alpn=h2", "CAA": '0 issue "Ca.test"', "TYPE65280": "\\# 2 00ff",
}  # fmt: skip


@pytest.mark.parametrize("kind", TEXTS)
def test_as_dnspython_has_it(kind: str) -> None:
    theirs = dns.rdata.from_text("IN", kind, TEXTS[kind])
    assert canonical(int(theirs.rdtype), theirs.to_wire()) == theirs.to_digestable()


WRONG = {
    "a short address": (1, b"\1\2\3"), "a long address": (28, bytes(17)), "an empty text": (16, b""),
    "a text that ends early": (16, b"\2a"), "no name": (2, b""), "half a name": (5, b"\1a"),
    "more after a name": (12, b"\1a\0!"), "a short SOA": (6, b"\0\0" + bytes(19)), "no target": (33, bytes(6)),
    "a long label": (2, b"\x40" + b"a" * 64 + b"\0"), "a protocol that ends early": (65, b"\0\1\0\0\1\0\3\x09h2"),
    "an empty CAA": (257, b""), "a pointer": (35, b"\0\1\0\1\0\0\0\xc0\x0c"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_data(case: str) -> None:
    with pytest.raises(ValueError, match=r"length|missing|early|long|malformed"):
        canonical(*WRONG[case])


@given(st.sampled_from([1, 2, 5, 6, 12, 13, 15, 16, 28, 33, 65, 257]), st.binary(max_size=40))
def test_what_is_taken_is_data_for_dnspython_too(kind: int, data: bytes) -> None:
    try:
        ours = canonical(kind, data)
    except ValueError:
        return
    theirs = dns.rdata.from_wire("IN", kind, data, 0, len(data))
    assert ours == theirs.to_digestable()
