"""Keepers: what may expire here, and from when on."""

from __future__ import annotations

from discovery.registry.content import Change, Node, RRset
from discovery.registry.custody import NAMES_IN_STEP, Custody
from discovery.registry.lease import Leases
from discovery.registry.store import Arrival, Term, key_of
from tests.discovery.registry.test_transfer import record

ME, OTHER, THIRD = b"me", b"other", b"third"
A1, A2, A3 = record("a.shop.default"), record("b.shop.default"), record("c.shop.default")
D1, D2, D3 = map(key_of, (A1, A2, A3))


class Watched:
    """A custody on a clock of its own."""

    def __init__(self, terms: dict[tuple[bytes, int, bytes], Term], *keepers: bytes) -> None:
        self.now = 100.0
        self.leases = Leases(pause=1000, few=100)
        self.custody = Custody(self.leases, ME, lambda: self.now)
        together: dict[Term, dict[bytes, Node]] = {}
        for (name, kind, data), term in terms.items():
            together.setdefault(term, {})[name] = (RRset(kind, 5, (data,)),)
        assert len(list(self.custody.begin(together, frozenset({ME, *keepers})))) == len(together)

    def due(self) -> set[tuple[bytes, int, bytes]]:
        return set(self.leases.due(self.now))

    def arrives(self, terms: dict[tuple[bytes, int, bytes], Term | None], *, is_own: bool = False) -> None:
        self.custody.follow(Arrival(1, {}, terms, is_own=is_own), Change((), ()))


def test_only_what_is_kept_here_or_by_nobody_expires() -> None:
    watched = Watched({D1: Term(b"", 30, ME), D2: Term(b"", 30, OTHER), D3: Term(b"", 30, THIRD)}, OTHER)
    watched.now += 31
    assert watched.due() == {D1, D3}
    assert watched.custody.absent([D1, D3]) == {THIRD}


def test_what_is_left_behind_lives_for_a_full_term() -> None:
    watched = Watched({D1: Term(b"", 30, OTHER), D2: Term(b"", 30, THIRD)}, OTHER, THIRD)
    watched.now += 100
    watched.custody.attend(frozenset({ME, THIRD}))
    watched.now += 29
    assert watched.due() == set()
    watched.now += 2
    assert watched.due() == {D1}


def test_who_comes_back_keeps_what_it_kept() -> None:
    watched = Watched({D1: Term(b"", 30, OTHER)})
    watched.custody.attend(frozenset({ME, OTHER}))
    watched.now += 31
    assert watched.due() == set()
    assert watched.custody.lasting(D1) == Term(b"", 30, OTHER)


def test_a_lease_that_goes_to_another_is_not_ours_any_more() -> None:
    watched = Watched({D1: Term(b"k", 30, ME)}, OTHER)
    assert watched.custody.lasting(D1) == Term(b"k", 30, ME)
    watched.arrives({D1: Term(b"k", 30, OTHER)})
    watched.now += 31
    assert watched.due() == set()
    assert watched.leases.records == 0


def test_a_lease_that_comes_here() -> None:
    watched = Watched({D1: Term(b"k", 30, OTHER)}, OTHER)
    watched.arrives({D1: Term(b"k", 30, ME)}, is_own=True)
    assert watched.leases.records == 0  # who granted it names it
    watched.leases.renew(b"k", [D1], 30, watched.now)
    watched.arrives({D2: Term(b"k", 40, ME)})  # a commit of which it was not known whether it was stored
    watched.now += 41
    assert watched.due() == {D1, D2}
    assert watched.custody.absent([D1, D2]) == frozenset()


def test_what_is_removed_or_is_to_stay_has_no_lease() -> None:
    watched = Watched({D1: Term(b"", 30, ME), D2: Term(b"", 30, OTHER), D3: Term(b"", 30, THIRD)}, OTHER)
    watched.custody.follow(Arrival(1, {}, {}), Change((A1, A2), ()))
    watched.arrives({D3: None})
    assert [watched.custody.lasting(datum) for datum in (D1, D2, D3)] == [None] * 3
    watched.now += 31
    assert watched.due() == set()


def test_another_ttl_is_no_removal() -> None:
    watched = Watched({D1: Term(b"", 30, ME), D2: Term(b"", 30, OTHER)}, OTHER)
    again = Change((A1, A2), (A1._replace(ttl=9), A2._replace(ttl=9)))
    watched.custody.follow(Arrival(1, {}, {}), again)
    assert watched.custody.lasting(D1) == Term(b"", 30, ME)
    assert watched.custody.lasting(D2) == Term(b"", 30, OTHER)


def test_many_get_their_leases_in_steps() -> None:
    datums = [(b"\4%04d" % number + A1.name, 1, b"data") for number in range(2 * NAMES_IN_STEP + 1)]
    terms = {Term(b"", 30, ME): {name: (RRset(kind, 5, (data,)),) for name, kind, data in datums}}
    leases = Leases()
    counts = [leases.records for _ in Custody(leases, ME, lambda: 0.0).begin(terms, frozenset({ME}))]
    assert counts == [NAMES_IN_STEP, 2 * NAMES_IN_STEP, len(datums)]
    found = [lease for lease in map(leases.lease_of, datums) if lease is not None]
    assert {lease.deadline for lease in found} == {30.0}
    assert len(found) == len(datums)
