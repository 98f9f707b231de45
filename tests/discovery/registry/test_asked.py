"""A message on its way: who sent it, and what refuses it."""

from __future__ import annotations

import dns.message
import dns.rcode
import pytest

from discovery.registry.asked import Asked, error, type_of
from discovery.registry.keys import Key
from discovery.registry.outline import outline
from discovery.registry.tsig import sign, verify
from discovery.registry.wire import AXFR, REFUSED, from_text
from tests.discovery.registry.test_transfer import AXFR as QUESTION
from tests.discovery.registry.test_transfer import ORIGIN

MESSAGE = bytes.fromhex("000101000001000000000000") + QUESTION


def asked(client: str, sent: list[bytes | None]) -> Asked:
    return Asked(MESSAGE, outline(MESSAGE), client, None, sent.append, None, lambda: 0.0)


@pytest.mark.parametrize(
    ("client", "expected"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("10.0.0.1", False), ("fe80::1%eth0", False)],
)
def test_who_is_on_this_machine(client: str, expected: bool) -> None:
    assert asked(client, []).is_loopback is expected


def test_what_it_is_about() -> None:
    sent: list[bytes | None] = []
    made = asked("127.0.0.1", sent)
    assert (made.zone, made.type, made.question, made.owner) == (ORIGIN, AXFR, QUESTION, b"")
    assert type_of(MESSAGE, made.parts) == AXFR
    made.send(b"plain")
    assert made.signer()(b"plain") == b"plain"
    made.send(None)
    made.refuse(REFUSED)
    assert sent[:2] == [b"plain", None]
    assert sent[2] == error(MESSAGE, made.parts, REFUSED)
    read = dns.message.from_wire(sent[2] or b"")
    assert (read.rcode(), read.question[0].rdtype) == (dns.rcode.REFUSED, AXFR)


@pytest.mark.parametrize("edns", [False, True])
@pytest.mark.parametrize("dnssec", [False, True])
def test_who_speaks_edns_is_refused_so(edns: bool, dnssec: bool) -> None:
    """RFC 6891 section 6.1.1, and RFC 3225 section 3 for the flag."""
    made = dns.message.make_query("b.c", "AXFR", use_edns=0 if edns else False, want_dnssec=edns and dnssec)
    message, sent = made.to_wire(), list[bytes | None]()
    Asked(message, outline(message), "127.0.0.1", None, sent.append, None, lambda: 0.0).refuse(REFUSED)
    answer = dns.message.from_wire(sent[0] or b"")
    assert (answer.rcode(), answer.edns, bool(answer.ednsflags)) == (dns.rcode.REFUSED, edns - 1, edns and dnssec)


def test_an_answer_that_its_signature_cuts_short_says_nothing() -> None:
    """RFC 8945 section 5.3: it has the rcode 0."""
    key = Key(from_text("k"), "hmac-sha256", b"secret")
    question = ORIGIN + b"\0\1\0\1"
    message = MESSAGE[:12] + question
    verified = verify(sign(message, key, 7)[0], {key.name: key}, 7)
    sent: list[bytes | None] = []
    Asked(message, outline(message), "127.0.0.1", verified, sent.append, None, lambda: 7.0).send_found(
        message[:2] + b"\x84\x03" + message[4:] + bytes(450)
    )
    (answer,) = sent
    assert answer is not None
    assert (answer[2:6], answer[12 : 12 + len(question)]) == (b"\x86\0\0\1", question)
    assert len(answer) < 200


@pytest.mark.parametrize("algorithm", ["hmac-sha256", "hmac-sha512"])
@pytest.mark.parametrize("name", ["k", "node-1", "a-rather-long-name.of-a-node.example"])
def test_how_much_room_a_signature_needs(name: str, algorithm: str) -> None:
    key = Key(from_text(name), algorithm, b"secret")
    signed, _ = sign(MESSAGE, key, 7)
    verified = verify(signed, {key.name: key}, 7)
    assert verified is not None
    made = asked("127.0.0.1", [])._replace(verified=verified)
    assert 0 <= made.room_for_signature - (len(signed) - len(MESSAGE)) < 64
    assert asked("127.0.0.1", []).room_for_signature == 0
