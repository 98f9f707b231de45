"""What lies in etcd is what was put there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.registry.content import RRset
from discovery.registry.etcd.values import Keys, keepers, pack, unpack
from discovery.registry.store import Term
from discovery.registry.wire import from_text, to_wire

NAME = to_wire(from_text("a.shop.default.endpoints.cluster.local"))
TERMS = st.builds(Term, st.binary(max_size=255), st.integers(0, 0xFFFFFFFF), st.binary(max_size=16))
RRSETS = st.builds(
    RRset, st.integers(1, 0xFFFF), st.integers(0, 0xFFFFFFFF),
    st.lists(st.binary(max_size=40), min_size=1, max_size=4, unique=True).map(tuple),
)  # fmt: skip


@given(st.data())
def test_there_and_back(data: st.DataObject) -> None:
    node = tuple(data.draw(st.lists(RRSETS, max_size=4, unique_by=lambda rrset: rrset.type)))
    keys = [(NAME, rrset.type, each) for rrset in node for each in rrset.datas]
    drawn = {key: data.draw(st.none() | TERMS) for key in keys}
    value = pack(NAME, node, {**drawn, (NAME, 1, b"elsewhere"): Term(b"", 1)})
    assert unpack(NAME, value) == (node, {key: term for key, term in drawn.items() if term is not None})


NODE = (RRset(1, 5, (b"\1\2\3\4", b"\5\6\7\x08")),)
WHOLE = pack(NAME, NODE, {(NAME, 1, b"\1\2\3\4"): Term(b"\1k\0", 30, b"keeper")})


@pytest.mark.parametrize("end", range(len(WHOLE)))
def test_what_ends_early_is_none(end: int) -> None:
    if WHOLE[:end] != pack(NAME, (), {}):
        try:
            held = unpack(NAME, WHOLE[:end])
        except ValueError:
            return
        assert held.node == ()  # cut between the terms and the records


def test_another_format() -> None:
    with pytest.raises(ValueError, match="format 2, this weft reads 1"):
        unpack(NAME, b"\2" + WHOLE[1:])


def test_keys() -> None:
    keys = Keys(b"weft/", to_wire(from_text("endpoints.cluster.local")))
    assert keys.content == b"weft/zones/endpoints.cluster.local/content"
    assert keys.terms == b"weft/zones/endpoints.cluster.local/terms"
    assert keys.name(NAME) == b"weft/zones/endpoints.cluster.local/names/" + NAME
    assert keepers(b"weft/") == b"weft/keepers/"
