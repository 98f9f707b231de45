"""Transfers taken: our own, dnspython's, in pieces, and broken ones."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.registry.content import Change, Content, content_of
from discovery.registry.incoming import Behind, Incoming, Outcome, Steps, TransferError, Whole
from discovery.registry.messages import rendered
from discovery.registry.store import Past
from discovery.registry.transfer import History, incremental, messages, whole
from discovery.registry.wire import IN, QR, REFUSED, A, Message, Record, from_text, parse_message, to_wire
from tests.discovery.registry.test_transfer import APEX, AXFR, CHANGES, IXFR, ORIGIN, RECORDS, record

NS = APEX.ns()


def fed(incoming: Incoming, wires: Iterable[bytes], is_udp: bool = False) -> Outcome | None:
    outcome: Outcome | None = None
    for wire in wires:
        assert outcome is None
        outcome = incoming.feed(parse_message(wire), is_udp)
    return outcome


def answer(*parts: Record, flags: int = QR, name: bytes = ORIGIN) -> Message:
    return Message(b"\0\1", flags, (name, 251, IN), parts, (), ())


@pytest.mark.parametrize("limit", [150, 16384])
@pytest.mark.parametrize("asked", [None, 3])
def test_a_whole_zone(limit: int, asked: int | None) -> None:
    content = content_of(ORIGIN, 7, RECORDS)
    outcome = fed(Incoming(ORIGIN, asked), messages(b"\0\1", AXFR, whole(APEX, 7, content.nodes), limit))
    assert isinstance(outcome, Whole)
    assert outcome.serial == 7
    assert set(outcome.records) == {*RECORDS, NS}


@pytest.mark.parametrize("limit", [150, 16384])
def test_differences_lead_to_the_same_content(limit: int) -> None:
    content, copy, history = content_of(ORIGIN, 7, RECORDS), content_of(ORIGIN, 7, RECORDS), History(APEX)
    for past in CHANGES:
        content.apply(past.change, past.serial)
        history.add(past)
    wires = messages(b"\0\1", IXFR, incremental(APEX, 12, history.since(7) or ()), limit)
    outcome = fed(Incoming(ORIGIN, 7), wires)
    assert isinstance(outcome, Steps)
    for serial, change in outcome.changes:
        copy.apply(change, serial)
    assert (copy.serial, copy.nodes) == (content.serial, content.nodes)


def test_nothing_newer() -> None:
    assert fed(Incoming(ORIGIN, 7), messages(b"\0\1", IXFR, incremental(APEX, 7, ()))) == Steps(())
    assert fed(Incoming(ORIGIN, 9), messages(b"\0\1", IXFR, incremental(APEX, 7, ()))) == Steps(())


def test_one_record_that_is_newer_says_that_the_rest_did_not_fit() -> None:
    assert Incoming(ORIGIN, 7).feed(answer(APEX.soa(9)), is_udp=True) == Behind(9)


def test_by_tcp_the_first_record_may_come_alone() -> None:
    incoming = Incoming(ORIGIN, 7)
    assert incoming.feed(answer(APEX.soa(9))) is None
    assert incoming.feed(answer(NS)) is None
    assert incoming.feed(answer(APEX.soa(9))) == Whole(9, (NS,))


def test_names_are_taken_in_lower_case() -> None:
    shouted = RECORDS[0]._replace(name=RECORDS[0].name.upper())
    soa = APEX.soa(9)._replace(name=ORIGIN.upper())
    assert Incoming(ORIGIN, None).feed(answer(soa, shouted, soa)) == Whole(9, (RECORDS[0],))


OUTSIDE = Record(to_wire(from_text("a.b")), A, IN, 5, b"\1\2\3\4")
HIDDEN = OUTSIDE._replace(name=bytes([len(ORIGIN)]) + b"a" + ORIGIN[:-1] + b"\0")
BROKEN = {
    "refused": ([answer(flags=QR | REFUSED)], "answered REFUSED"),
    "a question": ([answer(flags=0)], "answered NOERROR"),
    "no SOA at first": ([answer(RECORDS[0])], "does not begin with the zone's SOA"),
    "another zone's SOA": ([answer(APEX.soa(9)._replace(name=b"\1a\0"))], "does not begin with the zone's SOA"),
    "a short SOA": ([answer(APEX.soa(9)._replace(data=b"\0" * 10))], "too short"),
    "nothing": ([answer()], "ends early"),
    "nothing after a beginning": ([answer(APEX.soa(9), NS), answer()], "ends early"),
    "another SOA at the end": ([answer(APEX.soa(9), NS, APEX.soa(10))], "changed while it was sent"),
    "more after the end": ([answer(APEX.soa(9), NS, APEX.soa(9), NS)], "after the last one"),
    "serials that do not follow": (
        [answer(APEX.soa(9), APEX.soa(7), APEX.soa(8), APEX.soa(7), APEX.soa(9), APEX.soa(9))],
        "do not follow",
    ),
    "outside the zone": ([answer(APEX.soa(9), OUTSIDE, APEX.soa(9))], "outside the zone"),
    "outside the zone, hidden in a label": ([answer(APEX.soa(9), HIDDEN, APEX.soa(9))], "outside the zone"),
    "another class": ([answer(APEX.soa(9), RECORDS[0]._replace(klass=3), APEX.soa(9))], "another class"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_ones(case: str) -> None:
    parts, says = BROKEN[case]
    incoming = Incoming(ORIGIN, 7)
    for part in parts[:-1]:
        assert incoming.feed(part) is None
    with pytest.raises(TransferError, match=says):
        incoming.feed(parts[-1])


def test_by_udp_there_is_no_second_message() -> None:
    with pytest.raises(TransferError, match="ends early"):
        Incoming(ORIGIN, 7).feed(answer(APEX.soa(9), APEX.soa(7)), is_udp=True)


SOME = st.builds(record, st.sampled_from(["a", "b.a", "c"]), st.sampled_from([b"\0\0\0\1", b"\0\0\0\2"]))


@given(st.lists(st.sets(SOME), min_size=1), st.integers(100, 400))
def test_any_history(states: list[set[Record]], limit: int) -> None:
    content, history, copy = Content(ORIGIN), History(APEX), Content(ORIGIN)
    before: set[Record] = set()
    for serial, state in enumerate(states, 1):
        past = Past(serial - 1, serial, Change(tuple(before - state), tuple(state - before)))
        content.apply(past.change, serial)
        history.add(past)
        before = state
    chunks = incremental(APEX, content.serial, history.since(0) or ())
    outcome = fed(Incoming(ORIGIN, 0), messages(b"\0\1", IXFR, chunks, limit))
    assert isinstance(outcome, Steps)
    for serial, change in outcome.changes:
        copy.apply(change, serial)
    assert set(copy.records()) == states[-1]
    assert all(len(rendered(each, ORIGIN)) < 100 for each in copy.records())
