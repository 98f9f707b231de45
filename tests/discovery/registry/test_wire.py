from __future__ import annotations

import dns.edns
import dns.exception
import dns.message
import dns.name
import dns.rrset
import dns.tsig
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from discovery.registry import wire
from discovery.registry.wire import (
    Malformed,
    QueryError,
    from_text,
    parse_message,
    parse_query,
    read_name,
    to_labels,
    to_wire,
)
from tests.discovery.registry.making import query

QUESTION = b"\x04shop\x07default\x03svc\x00\x00\x01\x00\x01"
HEAD = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
OPT = b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00"


def head(*counts: int, flags: int = 0x0100) -> bytes:
    return b"\x12\x34" + flags.to_bytes(2, "big") + b"".join(count.to_bytes(2, "big") for count in counts)


def test_a_query() -> None:
    read = parse_query(head(1, 0, 0, 1) + b"\x04ShOp" + QUESTION[5:] + OPT)
    assert read.labels == (b"shop", b"default", b"svc")
    assert (read.id, read.type, read.klass, read.recursion_desired) == (b"\x12\x34", 1, 1, True)
    assert read.question == b"\x04ShOp" + QUESTION[5:]
    assert read.edns == (1232, 0, False, True)


ERRORS = {
    "another opcode": (head(1, 0, 0, 0, flags=0x2800) + QUESTION, wire.NOTIMP),
    "no question": (head(0, 0, 0, 0), wire.FORMERR),
    "two questions": (head(2, 0, 0, 0) + QUESTION + QUESTION, wire.FORMERR),
    "an answer in a query": (head(1, 1, 0, 0) + QUESTION, wire.FORMERR),
    "authority in a query": (head(1, 0, 1, 0) + QUESTION, wire.FORMERR),
    "the name ends early": (head(1, 0, 0, 0) + b"\x04sho", wire.FORMERR),
    "no type": (head(1, 0, 0, 0) + QUESTION[:-3], wire.FORMERR),
    "no end of the name": (head(1, 0, 0, 0) + b"\x04shop", wire.FORMERR),
    "a pointer": (head(1, 0, 0, 0) + b"\xc0\x0c\x00\x01\x00\x01", wire.FORMERR),
    "an old label type": (head(1, 0, 0, 0) + b"\x41\x01" + QUESTION, wire.FORMERR),
    "a name that is too long": (head(1, 0, 0, 0) + b"\x3f" * 64 * 4 + QUESTION, wire.FORMERR),
    "more at the end": (HEAD + QUESTION + b"\0", wire.FORMERR),
    "two OPT": (head(1, 0, 0, 2) + QUESTION + OPT + OPT, wire.FORMERR),
    "OPT with a name": (head(1, 0, 0, 1) + QUESTION + b"\x01a" + OPT, wire.FORMERR),
    "OPT that ends early": (head(1, 0, 0, 1) + QUESTION + OPT[:-1], wire.FORMERR),
    "OPT with half an option": (head(1, 0, 0, 1) + QUESTION + OPT[:-1] + b"\x03\x00\x0a\x00", wire.FORMERR),
    "an option that is longer than OPT": (
        head(1, 0, 0, 1) + QUESTION + OPT[:-1] + b"\x04\x00\x0a\x00\x08", wire.FORMERR,
    ),
    "additional record missing": (head(1, 0, 0, 1) + QUESTION, wire.FORMERR),
    "asking for OPT": (HEAD + QUESTION[:-4] + b"\x00\x29\x00\x01", wire.FORMERR),
    "a signature": (
        head(1, 0, 0, 1) + QUESTION + b"\x01k\x00\x00\xfa\x00\xff\x00\x00\x00\x00\x00\x00", wire.NOTAUTH,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ERRORS)
def test_a_query_that_gets_an_error(case: str) -> None:
    message, rcode = ERRORS[case]
    with pytest.raises(QueryError) as raised:
        parse_query(message)
    assert raised.value.rcode == rcode
    answer = dns.message.from_wire(raised.value.reply)
    assert (answer.id, answer.rcode(), bool(answer.flags & wire.QR)) == (0x1234, rcode, True)
    assert answer.opcode() == (int.from_bytes(message[2:4], "big") >> 11 & 0xF)


@pytest.mark.parametrize(
    "message", [b"", HEAD[:11], b"\x12\x34\x81\x00" + HEAD[4:] + QUESTION], ids=["nothing", "no header", "an answer"]
)
def test_what_gets_no_answer(message: bytes) -> None:
    with pytest.raises(Malformed):
        parse_query(message)


def test_a_signed_query_is_one_for_dnspython_too() -> None:
    made = query("shop.")
    made.use_tsig(dns.tsig.Key("key", "c2VjcmV0"))
    with pytest.raises(QueryError) as raised:
        parse_query(made.to_wire())
    assert raised.value.rcode == wire.NOTAUTH


LABEL = st.binary(min_size=1, max_size=63)
NAMES = st.lists(LABEL, max_size=8).filter(lambda labels: sum(len(label) + 1 for label in labels) < 255)


@given(
    labels=NAMES,
    kind=st.integers(1, 40),
    size=st.integers(0, 65535),
    dnssec=st.booleans(),
    option=st.none() | st.binary(max_size=40),
)
def test_queries_are_read_as_dnspython_writes_them(
    labels: list[bytes], kind: int, size: int, dnssec: bool, option: bytes | None
) -> None:
    name = dns.name.Name([*labels, b""])
    options = [] if option is None else [dns.edns.GenericOption(65001, option)]
    made = dns.message.make_query(name, kind, use_edns=0, payload=size, want_dnssec=dnssec, options=options)
    read = parse_query(made.to_wire())
    assert read.labels == tuple(label.lower() for label in labels)
    assert (read.id, read.type) == (made.id.to_bytes(2, "big"), kind)
    assert read.edns == (size, 0, dnssec, option is None)
    assert read.question[:-4] == name.to_wire()


@given(st.binary(max_size=60), st.integers(0, 70), st.booleans())
@example(b"\xc0\x0c", 12, True)
@example(b"\x00\x00\x29\xff\xff", 60, True)
def test_no_bytes_do_any_harm(noise: bytes, at: int, with_opt: bool) -> None:
    """Whatever is done to a query, it is a query that dnspython reads alike, an error or nothing."""
    whole = query("shop.default.svc.cluster.local.", "SRV", use_edns=0 if with_opt else -1).to_wire()
    message = whole[:at] + noise + whole[at + len(noise) :]
    try:
        read = parse_query(message)
    except (QueryError, Malformed):
        return
    try:
        theirs = dns.message.from_wire(message)
    except dns.exception.DNSException:
        return  # it looks into options too
    assert theirs.question[0].name.canonicalize().to_wire() == to_wire(read.labels)
    assert theirs.question[0].rdtype == read.type


@given(st.binary(max_size=40), st.integers(0, 200), st.booleans())
def test_whole_messages_are_read_as_dnspython_reads_them_or_not_at_all(noise: bytes, at: int, cut: bool) -> None:
    made = dns.message.make_response(query("a.example.", "SRV", use_edns=0), recursion_available=True)
    for section, text in (
        (made.answer, "a.example. 5 IN SRV 1 2 3 b.example."),
        (made.answer, "a.example. 5 IN MX 1 b.a.example."),
        (made.authority, "example. 5 IN SOA ns.example. host.example. 1 2 3 4 5"),
        (made.additional, "b.example. 5 IN A 10.0.0.1"),
    ):
        name, ttl, klass, kind, data = text.split(" ", 4)
        section.append(dns.rrset.from_text(name, int(ttl), klass, kind, data))
    whole = made.to_wire()
    message = whole[:at] if cut else whole[:at] + noise + whole[at + len(noise) :]
    try:
        ours = parse_message(message)
        theirs = dns.message.from_wire(message, one_rr_per_rrset=True)
    except (Malformed, dns.exception.DNSException):
        return
    assert [record.data for record in ours.answers] == [rrset[0].to_wire() for rrset in theirs.answer]
    assert ours.rcode == theirs.rcode() & 0xF


POINTERS = {
    "to itself": (b"\xc0\x00", 0),
    "forward": (b"\xc0\x02\x01a\x00", 0),
    "in a circle": (b"\x01a\xc0\x00", 2),
    "cut": (b"\x00\xc0", 1),
    "a reserved label type": (b"\x00\x80\x00", 1),
    "an unfinished name": (b"\x05ab", 0),
    "a name made too long": (b"\x3f" + b"a" * 63 + b"\xc0\x00", 64),
}


@pytest.mark.parametrize("case", POINTERS)
def test_names_that_do_not_end(case: str) -> None:
    message, at = POINTERS[case]
    with pytest.raises(Malformed):
        read_name(message, at)


def test_a_pointer_is_followed_back() -> None:
    assert read_name(b"\x01a\x00\x01b\xc0\x00!", 3) == (b"\x01b\x01a\x00", 7)


@pytest.mark.parametrize(("hops", "reads"), [(wire.MOST_POINTERS, True), (wire.MOST_POINTERS + 1, False)])
def test_a_chain_of_pointers_is_short(hops: int, reads: bool) -> None:
    chain = b"\0" + b"".join((0xC000 | max(2 * number - 1, 0)).to_bytes(2, "big") for number in range(hops))
    at = len(chain) - 2
    if reads:
        assert read_name(chain, at) == (b"\0", len(chain))
    else:
        with pytest.raises(Malformed):
            read_name(chain, at)


@given(NAMES)
def test_names_there_and_back(labels: list[bytes]) -> None:
    lower = tuple(label.lower() for label in labels)
    assert to_labels(to_wire(lower)) == lower
    assert read_name(to_wire(lower), 0)[0] == to_wire(lower)


def test_names_as_manifests_write_them() -> None:
    assert from_text("Shop.Default.svc.") == from_text("shop.default.svc") == (b"shop", b"default", b"svc")
    assert from_text("") == from_text(".") == ()


@pytest.mark.parametrize("labels", [(b"a" * 64,), (b"",), (b"a" * 63,) * 4])
def test_names_that_dns_cannot_say(labels: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match=r"longer|empty"):
        to_wire(labels)


def test_a_ttl_that_looks_negative_is_none() -> None:
    message = head(1, 1, 0, 0, flags=0x8000) + QUESTION + b"\xc0\x0c\x00\x01\x00\x01\x80\x00\x00\x01\x00\x00"
    assert parse_message(message).answers[0].ttl == 0


@pytest.mark.parametrize("message", [b"", HEAD[:4] + b"\0\0" + HEAD[6:], HEAD + QUESTION + b"\0"])
def test_messages_that_are_none(message: bytes) -> None:
    with pytest.raises(Malformed):
        parse_message(message)
