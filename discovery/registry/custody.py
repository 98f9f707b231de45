"""Whose leases are whose, where several registries serve one zone.

A refresh touches memory only, so nobody else learns of it: each leased record has a *keeper*, the registry that takes
its refreshes and alone may let it expire.  Who refreshes at another registry makes that the keeper, which is a commit
of terms without a serial.  What a registry that is gone kept has no keeper: everybody else gives it a full term from
the moment they notice, whoever is asked to refresh it first becomes its keeper, and if nobody is, any of them removes
it.  `leases` holds what may expire here: what this registry keeps, and what nobody does.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from itertools import islice
from typing import Final, TypeVar

from discovery.registry.content import Change, Node
from discovery.registry.lease import Datum, Leases, datums
from discovery.registry.store import Arrival, Term, key_of

T = TypeVar("T")

NAMES_IN_STEP: Final = 200


class Custody:
    """The leases of a zone and their keepers; a registry that is alone keeps them all."""

    def __init__(self, leases: Leases, keeper: bytes, clock: Callable[[], float]) -> None:
        """`keeper`: this registry; `clock`: monotonic seconds."""
        self.leases = leases
        self.keeper = keeper
        self._clock = clock
        self._keepers: frozenset[bytes] = frozenset({keeper})
        self._others: dict[Datum, Term] = {}
        """What this registry does not keep."""

    def begin(
        self, terms: Mapping[Term, Mapping[bytes, Node]], keepers: frozenset[bytes]
    ) -> Generator[None, None, None]:
        """The zone begins with these, and these registries are there: whatever may expire here has a full term.

        In short steps, all of which come before whatever else is told.
        """
        self._keepers = keepers
        for term, names in terms.items():
            rest = iter(names.items())
            while some := dict(islice(rest, NAMES_IN_STEP)):
                if term.keeper != self.keeper:
                    self._others.update(dict.fromkeys(datums(some), term))
                if term.keeper == self.keeper or self._is_alone(term):
                    self.leases.take(term.owner, some, term.seconds, self._clock())
                yield

    def lasting(self, datum: Datum) -> Term | None:
        """The term that a record has by now."""
        other = self._others.get(datum) if self._others else None
        if other is not None:
            return other
        lease = self.leases.lease_of(datum)
        return None if lease is None else Term(lease.owner, int(lease.term), self.keeper)

    def absent(self, due: Iterable[Datum]) -> frozenset[bytes]:
        """The registries that kept what is due here, and must be gone when it is removed."""
        return frozenset(self._others[datum].keeper for datum in due if datum in self._others)

    def follow(self, arrival: Arrival, change: Change) -> None:
        """The zone has changed; leases that this registry granted by it are left to who granted them."""
        stays = set(map(key_of, change.added)) if change.removed else ()
        for datum in map(key_of, change.removed):
            if datum not in stays:
                self._others.pop(datum, None)
                if not arrival.is_own:
                    self.leases.forget(datum)
        if arrival.is_own:
            for datum, term in arrival.terms.items():
                if term is not None and term.keeper != self.keeper:
                    self._others[datum] = term
                elif self._others:
                    self._others.pop(datum, None)
        else:
            self._take(arrival.terms)

    def attend(self, keepers: frozenset[bytes]) -> None:
        """These registries are there now; this one is always among them."""
        came, went = keepers - self._keepers, self._keepers - keepers
        self._keepers = keepers
        alone = {datum: term for datum, term in self._others.items() if term.keeper in went}
        for term, found in _by_term(alone).items():
            self._renew(term, found)
        if came:
            for datum, term in self._others.items():
                if term.keeper in came:
                    self.leases.forget(datum)

    def _take(self, terms: Mapping[Datum, Term | None]) -> None:
        """These are the terms now, and who keeps what is seen by them."""
        for term, found in _by_term(terms).items():
            self._put(term, found)

    def _put(self, term: Term | None, found: Sequence[Datum]) -> None:
        if term is not None and term.keeper != self.keeper:
            self._others.update(dict.fromkeys(found, term))
        elif self._others:
            for datum in found:
                self._others.pop(datum, None)
        if term is not None and (term.keeper == self.keeper or self._is_alone(term)):
            self._renew(term, found)
        else:
            for datum in found:
                self.leases.forget(datum)

    def _is_alone(self, term: Term) -> bool:
        """Whether its keeper is gone."""
        return term.keeper not in self._keepers

    def _renew(self, term: Term, found: Iterable[Datum]) -> None:
        """A full term, together, for those that may expire here and do not yet."""
        fresh = [datum for datum in found if self.leases.lease_of(datum) is None]
        self.leases.renew(term.owner, fresh, term.seconds, self._clock())


def _by_term(terms: Mapping[Datum, T]) -> dict[T, list[Datum]]:
    """Those together that have one owner, one term and one keeper."""
    together: dict[T, list[Datum]] = {}
    for datum, term in terms.items():
        found = together.get(term)
        if found is None:
            together[term] = [datum]
        else:
            found.append(datum)
    return together
