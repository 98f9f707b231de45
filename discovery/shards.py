"""A mapping that never changes, and of which the next version costs about the same however large it is.

It is cut into shards by the hash of the keys, and two versions share all shards in which they do not differ.  A copy
of the whole for each change of one Service among thousands would cost more than all else that the change does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Final, TypeVar, overload

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")

COUNT: Final = 256


class Shards(Mapping[K, V]):
    """Empty, until `changed` makes others of it."""

    __slots__ = ("_shards",)

    def __init__(self) -> None:
        self._shards: tuple[dict[K, V], ...] = ({},) * COUNT

    def __getitem__(self, key: K) -> V:
        return self._shards[hash(key) % COUNT][key]

    def __contains__(self, key: object) -> bool:
        return key in self._shards[hash(key) % COUNT]

    @overload
    def get(self, key: K, default: None = None, /) -> V | None: ...
    @overload
    def get(self, key: K, default: V | T, /) -> V | T: ...
    def get(self, key: K, default: V | T | None = None, /) -> V | T | None:
        """As of a dict: the mixin's would catch an exception."""
        return self._shards[hash(key) % COUNT].get(key, default)

    def __iter__(self) -> Iterator[K]:
        return chain.from_iterable(self._shards)

    def __len__(self) -> int:
        return sum(map(len, self._shards))

    def changed(self, put: Mapping[K, V], gone: Iterable[K] = ()) -> Shards[K, V]:
        """The same with all of `put`, and without the keys of `gone`, which it has."""
        shards, fresh = list(self._shards), set[int]()
        for key, value in put.items():
            _own(shards, fresh, hash(key) % COUNT)[key] = value
        for key in gone:
            del _own(shards, fresh, hash(key) % COUNT)[key]
        made: Shards[K, V] = Shards()
        made._shards = tuple(shards)
        return made


def _own(shards: list[dict[K, V]], fresh: set[int], at: int) -> dict[K, V]:
    """The shard at this place, which belongs to nobody else from now on."""
    if at not in fresh:
        fresh.add(at)
        shards[at] = shards[at].copy()
    return shards[at]
