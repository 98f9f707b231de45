"""Refresh: what is held of one DNS question, answer by answer; pure.

An answer counts until the next one, for as long as its TTL says, within bounds.  A failure takes nothing away.
Where answers are samples of a larger set, a target stays until it was missing from several in a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random
from typing import Final, NamedTuple

from config.resources.core import ServicePort
from discovery.backoff import Backoff, BackoffPolicy
from discovery.endpoint import Endpoint

SHORTEST_SECONDS: Final = 1.0
LONGEST_SECONDS: Final = 30.0
MISSES: Final = 5
"""Samples in a row without it, after which a target is gone."""
MOST_TARGETS: Final = 1000
RETRIES: Final = BackoffPolicy(first=SHORTEST_SECONDS, ceiling=LONGEST_SECONDS, jitter=0.2)


class Target(NamedTuple):
    """One address that an answer names; `port` 0: the Service says which."""

    address: str
    port: int = 0
    priority: int = 0
    weight: int = 1


class Refresh:
    """One question.  Times are seconds of any steady clock."""

    def __init__(self, sample: bool, random: Random) -> None:
        self._sample = sample
        self._backoff = Backoff(RETRIES, random)
        self._misses: dict[tuple[str, int], int] = {}
        self._targets: dict[tuple[str, int], Target] = {}
        self.answered = False
        """Whether there has been an answer at all."""
        self.failure = ""
        """Why the last try failed; empty if it did not."""

    @property
    def targets(self) -> tuple[Target, ...]:
        return tuple(self._targets.values())

    def succeeded(self, targets: Sequence[Target], ttl: float) -> float:
        """An answer: all that there is, or a sample.  Returns the seconds until it is time to ask again."""
        self._backoff.succeeded()
        self.answered, self.failure = True, ""
        fresh = {(each.address, each.port): each for each in targets[:MOST_TARGETS]}
        if self._sample:
            self._misses = {key: self._misses.get(key, 0) + 1 for key in self._targets if key not in fresh}
            kept = {key: each for key, each in self._targets.items() if self._misses.get(key, 0) < MISSES}
            fresh = dict(list({**fresh, **kept, **fresh}.items())[:MOST_TARGETS])
        self._targets = _in_order(self._targets, fresh)
        return min(max(ttl, SHORTEST_SECONDS), LONGEST_SECONDS)

    def failed(self, why: str, now: float) -> float:
        """No answer: the last good one counts on.  Returns the seconds until it is time to ask again."""
        self.failure = why
        return max(self._backoff.failed(now), SHORTEST_SECONDS)


def _in_order(before: Iterable[tuple[str, int]], now: dict[tuple[str, int], Target]) -> dict[tuple[str, int], Target]:
    """Those that stay keep their place, new ones come last: servers shuffle, and that is no change."""
    return {key: now[key] for key in (*(key for key in before if key in now), *now)}


def endpoints(targets: Iterable[Target], port: ServicePort) -> tuple[Endpoint, ...]:
    """Targets as endpoints of a port (RFC 2782): each priority is a tier.

    A weight of 0 beside others is a last resort, which is a tier of its own below; where all are 0 they are alike.
    """
    found = list(dict.fromkeys(targets))
    weighted = {target.priority for target in found if target.weight}
    ranks = {target: (target.priority, not target.weight and target.priority in weighted) for target in found}
    tiers = {rank: tier for tier, rank in enumerate(sorted(set(ranks.values())))}
    number = port.target_port if isinstance(port.target_port, int) else port.port
    return tuple(
        Endpoint(
            address=target.address,
            port=target.port or number,
            weight=target.weight or 1,
            tier=tiers[ranks[target]],
        )
        for target in found
    )
