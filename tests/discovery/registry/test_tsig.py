"""Signatures, with dnspython on the other side."""

from __future__ import annotations

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rdatatype
import dns.renderer
import dns.rrset
import dns.tsig
import dns.update
import pytest

from discovery.registry.keys import Key
from discovery.registry.tsig import Verified, sign, verify
from tests.discovery.registry.making import query

SECRET = b"sixteen bytes or more"
KEY = Key((b"node-1",), "hmac-sha256", SECRET)
KEYS = {KEY.name: KEY}
NOW = 1_800_000_000
ALGORITHMS = ["hmac-sha256", "hmac-sha512"]


def theirs(key: Key) -> dns.tsig.Key:
    return dns.tsig.Key(dns.name.Name([*key.name, b""]), key.secret, key.algorithm)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """dnspython looks at the clock itself."""
    monkeypatch.setattr("time.time", lambda: float(NOW))


def verified(message: bytes, request_mac: bytes = b"", now: float = NOW) -> Verified:
    found = verify(message, KEYS, now, request_mac)
    assert found is not None
    return found


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_dnspython_signs_holds_and_it_takes_our_answer(algorithm: str) -> None:
    key = Key((b"node-1", b"nodes"), algorithm, SECRET)
    made = dns.update.UpdateMessage("endpoints.cluster.local.")
    made.add("h1.shop.default", 5, "A", "10.0.0.1")
    plain, response = made.to_wire(), dns.message.make_response(made).to_wire()
    made.use_tsig(theirs(key))
    found = verify(made.to_wire(), {key.name: key}, NOW)
    assert found == (key, made.mac, NOW, plain)
    answer, _ = sign(response, key, NOW, found.mac)
    read = dns.message.from_wire(answer, keyring=theirs(key), request_mac=made.mac)
    assert read.had_tsig
    with pytest.raises(dns.tsig.BadSignature):
        dns.message.from_wire(answer, keyring=theirs(key), request_mac=b"another")


@pytest.mark.usefixtures("clock")
def test_dnspython_takes_what_is_signed_here() -> None:
    signed, mac = sign(query("shop.", use_edns=0).to_wire(), KEY, NOW)
    read = dns.message.from_wire(signed, keyring=theirs(KEY))
    assert (read.had_tsig, read.tsig[0].mac, read.edns) == (True, mac, 0)
