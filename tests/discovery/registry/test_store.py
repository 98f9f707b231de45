"""Changes as bytes and back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from discovery.registry.content import Change
from discovery.registry.store import key_of, pack, unpack
from discovery.registry.wire import IN, Record, to_wire

LABELS = st.lists(st.binary(min_size=1, max_size=12), min_size=0, max_size=5).map(tuple)
RECORDS = st.builds(
    Record,
    LABELS.map(to_wire),
    st.integers(0, 0xFFFF),
    st.just(IN),
    st.integers(0, 0x7FFFFFFF),
    st.binary(max_size=300),
)


@given(st.lists(RECORDS), st.lists(RECORDS))
def test_what_is_packed_is_unpacked(removed: list[Record], added: list[Record]) -> None:
    change = Change(tuple(removed), tuple(added))
    assert unpack(pack(change)) == change


def test_the_key_of_a_record_leaves_its_ttl_out() -> None:
    record = Record(b"\1a\0", 1, IN, 5, b"\1\2\3\4")
    assert key_of(record) == key_of(record._replace(ttl=6)) == (b"\1a\0", 1, b"\1\2\3\4")
