from __future__ import annotations

from typing import Any

import dns.flags
import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.registry import wire
from discovery.registry.rdata import encode, name, soa
from discovery.registry.render import Answer, Finished, Reason, render, udp_limit
from discovery.registry.wire import Query, Record, parse_query
from tests.discovery.registry.making import agree, query, record, values
from tests.texts import texts

SOA = record(
    "cluster.local", wire.SOA, soa(name("ns.dns.cluster.local"), name("hostmaster.cluster.local"), 1, 1), ttl=1
)
SHOP = "shop.default.svc.cluster.local"


def asked(text: str = SHOP, kind: str = "A", **options: Any) -> Query:
    return parse_query(query(text, kind, **options).to_wire())


def addresses(count: int, at: str = SHOP) -> tuple[Record, ...]:
    return tuple(record(at, wire.A, bytes((10, 0, number // 256, number % 256))) for number in range(count))


def sent(question: Query, answer: Answer, limit: int = 1232, turns: int = 1) -> list[dns.message.Message]:
    finished = render(question, answer, limit)
    wires = [question.id + finished.next() for _ in range(turns)]
    assert all(len(message) <= limit for message in wires)
    return [agree(message) for message in wires]


def test_flags_and_question_are_those_of_the_query() -> None:
    question = asked("ShOp.default.svc.cluster.local", flags=dns.flags.RD | dns.flags.CD)
    [message] = sent(question, Answer(records=addresses(1)))
    assert message.flags == dns.flags.QR | dns.flags.AA | dns.flags.RD | dns.flags.CD
    assert message.question[0].name.to_text() == "ShOp.default.svc.cluster.local."
    assert message.edns == -1
    forwarded = agree(question.id + render(question, Answer(authoritative=False), 512, recursion=True).next())
    assert forwarded.flags == dns.flags.QR | dns.flags.RA | dns.flags.RD | dns.flags.CD


def test_each_record_is_first_in_its_turn() -> None:
    messages = sent(asked(), Answer(records=addresses(5)), turns=10)
    firsts = [message.answer[0][0].to_text() for message in messages]
    assert sorted(firsts) == sorted([f"10.0.0.{number}" for number in range(5)] * 2)
    assert len({tuple(values(message)) for message in messages}) == 1


def test_srv_records_take_turns_with_their_addresses_behind_them() -> None:
    targets = [f"h{number}.{SHOP}" for number in range(4)]
    records = tuple(record(f"_http._tcp.{SHOP}", *encode("SRV", f"0 1 80 {target}")) for target in targets)
    additional = tuple(address for target in targets for address in addresses(1, target))
    question = asked(f"_http._tcp.{SHOP}", "SRV")
    for message in sent(question, Answer(records=records, additional=additional), turns=5):
        assert values(message) == [f"SRV 0 1 80 {target}." for target in targets]
        assert [rrset.name.to_text() for rrset in message.additional] == [f"{target}." for target in targets]


def test_names_are_compressed() -> None:
    chain = (record(SHOP, wire.CNAME, name("web.default.svc.cluster.local")),)
    answer = Answer(records=(*chain, *addresses(2, "web.default.svc.cluster.local")), authority=(SOA,))
    question = asked()
    finished = render(question, answer, 512).next()
    agree(question.id + finished)
    assert finished.count(b"\x05local") == 1


def test_what_does_not_fit_loses_its_additional_records_first() -> None:
    question = asked(f"_http._tcp.{SHOP}", "SRV")
    records = (record(f"_http._tcp.{SHOP}", *encode("SRV", f"0 1 80 {SHOP}")),)
    [message] = sent(question, Answer(records=records, additional=addresses(40)), limit=512)
    assert (len(message.answer), len(message.additional)) == (1, 0)
    assert not message.flags & dns.flags.TC


@pytest.mark.parametrize(("limit", "count", "truncated"), [(512, 20, False), (512, 60, True), (65535, 60, False)])
def test_truncation(limit: int, count: int, truncated: bool) -> None:
    [message] = sent(asked(use_edns=0, payload=1232), Answer(records=addresses(count)), limit)
    assert bool(message.flags & dns.flags.TC) == truncated
    assert len(message.answer) == (0 if truncated else count)
    assert message.edns == 0


@pytest.mark.parametrize(
    ("options", "limit"),
    [({}, 512), ({"payload": 100}, 512), ({"payload": 800}, 800), ({"payload": 65535}, 1232)],
)
def test_how_much_a_client_takes(options: dict[str, int], limit: int) -> None:
    assert udp_limit(asked(use_edns=0 if options else -1, **options)) == limit


def test_why_there_is_nothing_is_told_to_who_sent_opt() -> None:
    answer = Answer(wire.NXDOMAIN, authority=(SOA,), reason=Reason(49152, "not ready"))
    [with_opt] = sent(asked(use_edns=0, want_dnssec=True), answer)
    assert [option.to_text() for option in with_opt.options] == ["EDE 49152: not ready"]
    assert with_opt.ednsflags & dns.flags.DO
    [without] = sent(asked(), answer)
    assert (without.edns, without.options) == (-1, ())
    assert without.authority[0].ttl == 1


def test_extended_rcodes() -> None:
    [message] = sent(asked(use_edns=0), Answer(wire.BADVERS, reason=Reason(1)))
    assert (message.rcode(), message.options) == (16, ())


def test_a_finished_message_knows_its_size() -> None:
    finished = Finished(b"head", b"aabb", b"tail", (0, 2))
    assert len(finished) == 16  # its records are held twice
    assert [finished.next() for _ in range(3)] == [b"headaabbtail", b"headbbaatail", b"headaabbtail"]


LABEL = texts(9, "abcd-0", least=1)
TEXT = st.lists(LABEL, min_size=1, max_size=4).map(".".join)
RECORD = st.tuples(TEXT, st.sampled_from(["A", "PTR", "NS", "CNAME", "SRV"]), TEXT, st.integers(0, (1 << 31) - 1))


def made(given_: tuple[str, str, str, int]) -> Record:
    at, kind, target, ttl = given_
    value = {"A": "10.1.2.3", "SRV": f"1 2 3 {target}"}.get(kind, target)
    return record(at, *encode(kind, value), ttl=ttl)


@given(TEXT, st.lists(RECORD, max_size=12), st.lists(RECORD, max_size=4), st.integers(0, 12), st.booleans())
def test_any_records_are_read_back_by_dnspython(
    at: str, answers: list[Any], others: list[Any], turn: int, same: bool
) -> None:
    records = tuple(made((at if same else each[0], "SRV" if same else each[1], *each[2:])) for each in answers)
    question = asked(at, "SRV", use_edns=0)
    answer = Answer(records=records, authority=tuple(map(made, others)), additional=tuple(map(made, others)))
    message = agree(question.id + render(question, answer, 65535, turn=turn).next())
    expected = sorted((r.name, r.type, r.klass, r.ttl, r.data) for r in records)
    read = wire.parse_message(message.to_wire()).answers
    assert sorted((r.name, r.type, r.klass, r.ttl, r.data) for r in read) == expected
