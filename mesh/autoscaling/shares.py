"""How many of a workload's replicas each place runs that runs it: a pure division.

What is to be more goes where there are fewest, and not where nobody hears of it now; what is to be less goes where
those are that are to go, and then where there are most.  Nobody is moved.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence


def divided(
    total: int, there: Mapping[str, int], going: Sequence[str] = (), away: Collection[str] = ()
) -> dict[str, int]:
    """`total` replicas over places that have so many now; `going`: for each that is to go, its place.

    `away`: places that cannot be told now, which get more only if there is no other.
    Raises ValueError when there is no place.
    """
    if not there:
        raise ValueError("no place runs it")
    shares = dict(there)
    surplus = sum(shares.values()) - total
    for place in going:
        if surplus > 0 and shares.get(place):
            shares[place] -= 1
            surplus -= 1
    while surplus > 0:
        shares[max(sorted(shares), key=lambda place: shares[place])] -= 1
        surplus -= 1
    heard = [place for place in sorted(shares) if place not in away] or sorted(shares)
    while surplus < 0:
        shares[min(heard, key=lambda place: shares[place])] += 1
        surplus += 1
    return shares
