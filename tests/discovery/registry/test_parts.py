"""Parts of a zone: asked for and sent, whole or as a difference that leads to the zone's serial."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.registry.content import Change, Draft, content_of
from discovery.registry.incoming import Incoming, Steps
from discovery.registry.messages import axfr_query, ixfr_query, opt
from discovery.registry.parts import MOST_BYTES, OPTION, Parts, covers, narrowed, nodes_of, option, read_parts
from discovery.registry.store import Past
from discovery.registry.transfer import incremental, messages, step_of
from discovery.registry.wire import Malformed, Record, parse_message, parse_part
from tests.discovery.registry.test_transfer import APEX, IXFR, ORIGIN, record

A, C = b"\1a\1b", b"\1c\1b"
LABELS = st.binary(min_size=1, max_size=8).map(lambda label: bytes((len(label),)) + label.lower())
NAMES = st.lists(LABELS, min_size=1, max_size=4).map(b"".join)


@given(st.frozensets(NAMES, max_size=20))
def test_what_is_asked_for_is_read(parts: Parts) -> None:
    for query in (axfr_query(7, ORIGIN, option(parts)), ixfr_query(7, APEX.soa(3), option(parts))):
        assert read_parts(parse_message(query)) == parts


def test_without_the_option_all_is_wanted() -> None:
    assert read_parts(parse_message(axfr_query(7, ORIGIN))) is None
    assert read_parts(parse_message(ixfr_query(7, APEX.soa(3)))) is None


NONSENSE = {
    "a name that ends early": b"\3ab",
    "a name without an end": b"\1a",
    "a pointer": b"\xc0\x0c\0",
    "too much": b"\1a\0" * (MOST_BYTES // 3 + 1),
}


@pytest.mark.parametrize("case", NONSENSE)
def test_what_is_no_list_of_names(case: str) -> None:
    data = NONSENSE[case]
    query = axfr_query(7, ORIGIN, OPTION.to_bytes(2, "big") + len(data).to_bytes(2, "big") + data)
    with pytest.raises(Malformed):
        read_parts(parse_message(query))


def test_too_many_are_not_asked_for() -> None:
    with pytest.raises(ValueError, match="too many"):
        option(frozenset(b"\6" + f"{number:06}".encode() for number in range(MOST_BYTES // 8 + 1)))
    assert opt(option(frozenset())).data


COVERED = {b"\1a\1b": True, b"\1x\1a\1b": True, b"\1b": False, b"\1c\1b": False, b"": False, b"\2xa\1b": False}


@pytest.mark.parametrize("name", COVERED)
def test_what_a_part_covers(name: bytes) -> None:
    assert covers(frozenset({A}), name) is COVERED[name]


def test_the_names_of_parts() -> None:
    there = [record(f"{host}.{service}.b") for host in ("x", "y") for service in "acd"]
    content = content_of(ORIGIN, 1, [*there, record("a.b"), record("b")])
    names = {record(f"{name}.b").name for name in ("a", "x.a", "y.a", "x.c", "y.c")}
    assert nodes_of(content, frozenset({A, C, b"\4none\1b"})).keys() == names
    content.put(record("x.a.b").name, ())
    assert record("x.a.b").name not in nodes_of(content, frozenset({A}))


@given(
    st.lists(st.lists(st.tuples(st.sampled_from("acd"), st.integers(0, 3)), max_size=4), max_size=8), st.integers(0, 8)
)
def test_who_takes_differences_of_parts_has_what_these_parts_are(
    changes: list[list[tuple[str, int]]], first: int
) -> None:
    content, copy, parts = content_of(ORIGIN, 1, ()), content_of(ORIGIN, 1, ()), frozenset({A, C})
    steps = []
    for serial, names in enumerate(changes, 2):
        draft = Draft(content)
        for service, number in names:
            each = record(f"h{number}.{service}.b")
            draft.put(each.name, ()) if draft.get(each.name) else draft.add(each)
        if serial <= first + 1:
            copy.adopt(
                {name: node for name, node in draft.nodes.items() if covers(parts, name[: -len(ORIGIN)])}, serial
            )
        else:
            steps.append(step_of(Past(serial - 1, serial, draft.change()), APEX))
        content.adopt(draft.nodes, serial)
    before, latest = copy.serial, content.serial
    chunks = incremental(APEX, latest, narrowed(APEX, before, latest, steps, parts))
    (message,) = messages(b"\0\1", IXFR, chunks)
    outcome = Incoming(ORIGIN, before).feed(parse_part(message))
    assert isinstance(outcome, Steps)
    for serial, change in outcome.changes:
        copy.apply(change, serial)
    assert copy.serial == latest
    assert copy.nodes == nodes_of(content, parts)


def test_what_is_of_others_makes_one_empty_step() -> None:
    def past(before: int, *added: Record, gone: tuple[Record, ...] = ()) -> Past:
        return Past(before, before + 1, Change(gone, added))

    steps = [step_of(past(number, record(f"h{number}.d.b")), APEX) for number in range(1, 50)]
    assert [(each.before, each.serial, len(each.chunks)) for each in narrowed(APEX, 1, 50, steps, frozenset({A}))] == [
        (1, 50, 2)
    ]
    assert narrowed(APEX, 50, 50, (), frozenset({A})) == []
