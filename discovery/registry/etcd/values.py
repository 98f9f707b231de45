"""How a zone lies in etcd: one key per name, whose value is all that the name has, and with it the leases.

::

    PREFIX zones/ORIGIN/content      touched by each change; its revision is the serial; holds whose change it was
    PREFIX zones/ORIGIN/terms        touched instead where only leases are others
    PREFIX zones/ORIGIN/names/NAME   a name in wire bytes: its records and their terms
    PREFIX keepers/ID                a registry that is there, by a lease of etcd
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct, error
from typing import Final, NamedTuple

from discovery.registry.content import Node, RRset
from discovery.registry.store import RecordKey, Term
from discovery.registry.wire import to_labels

FORMAT: Final = 1
_HEAD: Final = Struct("!BH")
_TERM: Final = Struct("!IBB")
_RRSET: Final = Struct("!HIH")
_DATA: Final = Struct("!HH")

Terms = Mapping[RecordKey, Term]


class Keys:
    """The keys of one zone."""

    def __init__(self, prefix: bytes, origin: bytes) -> None:
        self.all = prefix + b"zones/" + b".".join(to_labels(origin)) + b"/"
        self.content = self.all + b"content"
        self.terms = self.all + b"terms"
        self.names = self.all + b"names/"

    def name(self, name: bytes) -> bytes:
        """The key of a name."""
        return self.names + name


class Held(NamedTuple):
    """What a name has."""

    node: Node
    terms: Terms


def keepers(prefix: bytes) -> bytes:
    """What the keys of registries begin with."""
    return prefix + b"keepers/"


def pack(name: bytes, node: Node, terms: Mapping[RecordKey, Term | None]) -> bytes:
    """The value of a name; there may be `terms` of records that it does not have."""
    numbers: dict[Term | None, int] = {None: 0}
    parts = []
    for kind, ttl, datas in node:
        parts.append(_RRSET.pack(kind, ttl, len(datas)))
        for data in datas:
            number = numbers.setdefault(terms.get((name, kind, data)), len(numbers))
            parts += (_DATA.pack(len(data), number), data)
    head = [_HEAD.pack(FORMAT, len(numbers) - 1)]
    for term in numbers:
        if term is not None:
            head += (_TERM.pack(term.seconds, len(term.owner), len(term.keeper)), term.owner, term.keeper)
    return b"".join((*head, *parts))


def unpack(name: bytes, value: bytes) -> Held:
    """What `pack` made this value of.  Raises ValueError."""
    try:
        return _unpack(name, value)
    except (error, IndexError):
        raise ValueError("it ends early") from None


def _unpack(name: bytes, value: bytes) -> Held:
    version, count = _HEAD.unpack_from(value)
    if version != FORMAT:
        raise ValueError(f"it has format {version}, this weft reads {FORMAT}")
    at = _HEAD.size
    known: list[Term | None] = [None]
    for _ in range(count):
        seconds, owner, keeper = _TERM.unpack_from(value, at)
        middle = at + _TERM.size + owner
        known.append(Term(value[at + _TERM.size : middle], seconds, value[middle : middle + keeper]))
        at = middle + keeper
    node: list[RRset] = []
    terms: dict[RecordKey, Term] = {}
    while at < len(value):
        kind, ttl, count = _RRSET.unpack_from(value, at)
        at += _RRSET.size
        datas = []
        for _ in range(count):
            length, number = _DATA.unpack_from(value, at)
            at += _DATA.size + length
            data = value[at - length : at]
            datas.append(data)
            if (term := known[number]) is not None:
                terms[name, kind, data] = term
        node.append(RRset(kind, ttl, tuple(datas)))
    if at != len(value):
        raise ValueError("it ends early")
    return Held(tuple(node), terms)
