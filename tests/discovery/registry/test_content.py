"""Names, drafts and changes of a written zone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.registry.content import Change, Content, Draft, RRset, content_of, later, records
from discovery.registry.wire import AAAA, IN, TXT, A, Record, from_text, to_wire

ORIGIN = to_wire(from_text("endpoints.cluster.local"))


def name(text: str) -> bytes:
    return to_wire(from_text(f"{text}.endpoints.cluster.local"))


def record(owner: str, data: bytes = b"\1\2\3\4", kind: int = A, ttl: int = 5) -> Record:
    return Record(name(owner), kind, IN, ttl, data)


def test_names_above_others_exist_as_long_as_these() -> None:
    content = content_of(ORIGIN, 1, [record("h1.shop.default"), record("h2.shop.default")])
    assert all(map(content.exists, (name("shop.default"), name("default"), ORIGIN)))
    content.put(name("h1.shop.default"), ())
    assert content.exists(name("shop.default"))
    assert not content.exists(name("h1.shop.default"))
    content.put(name("h2.shop.default"), ())
    assert not content.exists(name("default"))
    assert content.exists(ORIGIN)


def test_a_name_of_its_own_outlives_those_beneath_it() -> None:
    content = content_of(ORIGIN, 1, [record("default"), record("shop.default")])
    content.put(name("shop.default"), ())
    assert content.exists(name("default"))
    content.put(name("default"), ())
    assert not content.exists(name("default"))


@pytest.mark.parametrize(
    ("text", "inside"),
    [("a.endpoints.cluster.local", True), ("endpoints.cluster.local", True), ("cluster.local", False),
     ("aendpoints.cluster.local", False), ("", False)],
)  # fmt: skip
def test_within(text: str, inside: bool) -> None:
    assert Content(ORIGIN).within(to_wire(from_text(text))) is inside


SERIALS = {
    "next": (2, 1, True),
    "same": (1, 1, False),
    "before": (1, 2, False),
    "over the end": (0, 0xFFFFFFFF, True),
    "half way is neither": (0x80000001, 1, False),
    "just less than half": (0x80000000, 1, True),
}


@pytest.mark.parametrize("case", SERIALS)
def test_serials(case: str) -> None:
    serial, than, expected = SERIALS[case]
    assert later(serial, than) is expected


def test_a_draft_shows_and_the_content_does_not() -> None:
    content = content_of(ORIGIN, 7, [record("a")])
    draft = Draft(content)
    draft.add(record("a", b"\5\6\7\x08", ttl=9))
    assert draft.rrset(name("a"), A) == RRset(A, 9, (b"\1\2\3\4", b"\5\6\7\x08"))
    assert content.nodes[name("a")] == (RRset(A, 5, (b"\1\2\3\4",)),)
    content.adopt(draft.nodes, 8)
    assert (content.serial, content.nodes[name("a")][0].ttl) == (8, 9)


def test_the_ttl_of_a_set_is_a_change_of_all_its_records() -> None:
    draft = Draft(content_of(ORIGIN, 1, [record("a")]))
    draft.add(record("a", ttl=6))
    assert draft.change() == Change((record("a"),), (record("a", ttl=6),))


WRONG = {
    "removes what is not there": Change((record("b"),), ()),
    "removes other data": Change((record("a", b"\0\0\0\0"),), ()),
    "adds what is there": Change((), (record("a"),)),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_change_that_does_not_fit_changes_nothing(case: str) -> None:
    content = content_of(ORIGIN, 1, [record("a")])
    with pytest.raises(ValueError, match="a record to be"):
        content.apply(WRONG[case], 2)
    assert (content.serial, list(content.records())) == (1, [record("a")])


SOME = st.builds(
    record,
    st.sampled_from(["a", "b", "c.a", "d.c.a", "e.f.g"]),
    st.sampled_from([b"\0\0\0\1", b"\0\0\0\2", b"\0\0\0\3"]),
    st.sampled_from([A, AAAA, TXT]),
    st.sampled_from([5, 5, 5, 6]),
)


@given(st.lists(SOME), st.lists(st.tuples(st.booleans(), SOME)))
def test_the_change_of_a_draft_leads_from_one_content_to_the_other(
    before: list[Record], steps: list[tuple[bool, Record]]
) -> None:
    content, copy = content_of(ORIGIN, 1, before), content_of(ORIGIN, 1, before)
    draft = Draft(content)
    for adds, each in steps:
        if adds:
            draft.add(each)
        else:
            draft.remove(each.name, each.type, each.data)
    change = draft.change()
    content.adopt(draft.nodes, 2)
    copy.apply(change, 2)
    assert set(copy.records()) == set(content.records())
    assert len(content) == len(list(content.records()))
    for owner in ("a", "c.a", "c", "f.g", "g", "b"):
        beneath = any(each.name.endswith(name(owner)) for each in content.records())
        assert content.exists(name(owner)) == copy.exists(name(owner)) == beneath
    assert all(list(records(owner, node)) for owner, node in content.nodes.items())
