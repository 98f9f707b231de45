"""What an UPDATE message does to a zone (RFC 2136 sections 2 and 3).

First all prerequisites must hold, then the signer must be allowed to write every name, then each change must be one
that can be asked for; only then they are tried, in order, on a `Draft`.  Either all of that goes well, or the draft is
what it was.  SOA and NS of the zone itself are made by the registry: nobody removes them, and what would change them
is refused, unless the RFC has it ignored.  Names are compared in lower case, also those within data.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Final, NamedTuple

from discovery.registry.canonical import canonical
from discovery.registry.content import Draft, Node, RRset, later
from discovery.registry.keys import Scope
from discovery.registry.terms import Terms
from discovery.registry.wire import (
    ANY,
    CNAME,
    FORMERR,
    IN,
    NOERROR,
    NONE,
    NOTAUTH,
    NOTIMP,
    NOTZONE,
    NS,
    NXDOMAIN,
    NXRRSET,
    QR,
    RCODE_NAMES,
    REFUSED,
    SOA,
    UPDATE_OPCODE,
    YXDOMAIN,
    YXRRSET,
    Message,
    Record,
)

_META: Final = frozenset({0, 41, *range(128, 256)})
"""Types that no record of a zone has (RFC 6895 section 3.1)."""


CHANGES_IN_STEP: Final = 50


class Limits(NamedTuple):
    """How much is too much, and is refused."""

    changes: int = 4096
    """Records in the prerequisites and in the update section, each."""
    records: int = 4096
    """Of one name."""
    size: int = 1 << 18
    """Bytes of the data of one name."""


DEFAULT: Final = Limits()


class UpdateError(Exception):
    """An UPDATE that gets nothing but this rcode."""

    def __init__(self, rcode: int) -> None:
        super().__init__(RCODE_NAMES[rcode])
        self.rcode = rcode


class Update(NamedTuple):
    """What is asked for; names and data in lower case where DNS does not tell cases apart."""

    zone: bytes
    prerequisites: tuple[Record, ...]
    changes: tuple[Record, ...]

    def added(self) -> Iterable[Record]:
        """The records that it adds, or that are to stay."""
        return (record for record in self.changes if record.klass == IN)


class Request(NamedTuple):
    """An update that somebody asks for."""

    update: Update
    scope: Scope
    owner: bytes = b""
    """The name of the key that signed it."""
    terms: Terms | None = None
    """What was granted; None: what it adds stays."""
    fingerprint: bytes = b""


def read_update(message: Message, zone: bytes, limits: Limits = DEFAULT) -> Update:
    """Read an UPDATE of `zone` (wire bytes, lower case).  Raises `UpdateError`."""
    if message.opcode != UPDATE_OPCODE or message.flags & QR:
        raise UpdateError(NOTIMP)
    name, kind, klass = message.question
    if kind != SOA:
        raise UpdateError(FORMERR)
    if klass != IN or name.lower() != zone:
        raise UpdateError(NOTAUTH)
    if max(len(message.answers), len(message.authority)) > limits.changes:
        raise UpdateError(REFUSED)
    prerequisites = tuple(_canonical(record, record.klass == IN) for record in message.answers)
    return Update(zone, prerequisites, tuple(_canonical(record, record.klass != ANY) for record in message.authority))


def _canonical(record: Record, needs_data: bool) -> Record:
    """In lower case; data that are no data of their type are a FORMERR, unless there are none, where none may be."""
    data = record.data
    if record.klass in (IN, NONE) and record.type not in _META and (data or needs_data):
        try:
            data = canonical(record.type, data)
        except ValueError:
            raise UpdateError(FORMERR) from None
    return record._replace(name=record.name.lower(), data=data)


def decide(
    draft: Draft,
    update: Update,
    scope: Scope,
    apex: Node = (),
    limits: Limits = DEFAULT,
) -> int:
    """All of `decision` at once."""
    steps = decision(draft, update, scope, apex, limits)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            rcode: int = done.value
            return rcode


def decision(
    draft: Draft,
    update: Update,
    scope: Scope,
    apex: Node = (),
    limits: Limits = DEFAULT,
) -> Generator[None, None, int]:
    """Carry out `update` on `draft`, in short steps; returns the rcode, and but for NOERROR the draft is as before.

    `apex`: SOA and NS of the zone itself, which are not in the content; their names in lower case, as all of it.
    """
    if rcode := _prerequisites(draft, update, apex):
        return rcode
    if not all(scope.may_write(name) for name in {record.name for record in update.changes}):
        return REFUSED
    if rcode := _prescan(draft, update.changes):
        return rcode
    before = dict(draft.nodes)
    for number, record in enumerate(update.changes, 1):
        if not _change(draft, record, apex, limits):
            draft.nodes = before
            return REFUSED
        if not number % CHANGES_IN_STEP:
            yield
    return NOERROR


def _node(draft: Draft, name: bytes, apex: Node) -> Node:
    """All that a name has, also what is made."""
    return (*apex, *draft.get(name)) if name == draft.content.origin else draft.get(name)


def _prerequisites(draft: Draft, update: Update, apex: Node) -> int:
    """Section 3.2."""
    values: dict[tuple[bytes, int], set[bytes]] = {}
    for record in update.prerequisites:
        name, kind, klass, ttl, data = record
        if ttl:
            return FORMERR
        if not draft.content.within(name):
            return NOTZONE
        if klass == IN:
            values.setdefault((name, kind), set()).add(data)
        elif data or klass not in (ANY, NONE):
            return FORMERR
        elif (rcode := _presence(_node(draft, name, apex), kind, must=klass == ANY)) != NOERROR:
            return rcode
    for (name, kind), datas in values.items():
        there = next((rrset.datas for rrset in _node(draft, name, apex) if rrset.type == kind), ())
        if set(there) != datas:
            return NXRRSET
    return NOERROR


def _presence(node: Node, kind: int, must: bool) -> int:
    """Whether there is, as it `must` be, or is not, something of that type; ANY: anything."""
    there = any(kind in (ANY, rrset.type) for rrset in node)
    if there == must:
        return NOERROR
    if must:
        return NXDOMAIN if kind == ANY else NXRRSET
    return YXDOMAIN if kind == ANY else YXRRSET


def _prescan(draft: Draft, changes: Iterable[Record]) -> int:
    """Section 3.4.1."""
    for name, kind, klass, ttl, data in changes:
        if not draft.content.within(name):
            return NOTZONE
        if klass == ANY:
            wrong = bool(ttl or data) or (kind in _META and kind != ANY)
        elif klass == NONE:
            wrong = bool(ttl) or kind in _META
        else:
            wrong = klass != IN or kind in _META
        if wrong:
            return FORMERR
    return NOERROR


def _change(draft: Draft, record: Record, apex: Node, limits: Limits) -> bool:
    """Section 3.4.2; False: it is refused."""
    if record.name == draft.content.origin and record.type in (SOA, NS):
        return _is_harmless(record, apex)
    if record.klass == ANY:
        _remove_sets(draft, record)
    elif record.klass == NONE:
        draft.remove(record.name, record.type, record.data)
    elif _may_stand(record, _node(draft, record.name, apex)):
        return _add(draft, record, limits)
    return True


def _is_harmless(record: Record, apex: Node) -> bool:
    """Whether a change of what is made at the apex would change nothing, or is to be ignored."""
    there = next((rrset.datas for rrset in apex if rrset.type == record.type), ())
    if record.klass == ANY or (record.klass == NONE and record.type == SOA):
        return True
    if record.klass == NONE:
        return record.data not in there or len(there) == 1
    if record.type == NS:
        return record.data in there
    return not any(later(_serial(record.data), _serial(data)) for data in there)


def _serial(soa: bytes) -> int:
    return int.from_bytes(soa[-20:-16], "big")


def _remove_sets(draft: Draft, record: Record) -> None:
    if record.type == ANY:
        if draft.get(record.name):
            draft.put(record.name, ())
    elif draft.rrset(record.name, record.type) is not None:
        draft.put_rrset(record.name, RRset(record.type, 0, ()))


def _may_stand(record: Record, node: Node) -> bool:
    """An alias stands alone, and a SOA record only at the apex (section 3.4.2.2); anything else is ignored."""
    if record.type == SOA:
        return False
    return all((rrset.type == CNAME) == (record.type == CNAME) for rrset in node)


def _add(draft: Draft, record: Record, limits: Limits) -> bool:
    there = draft.rrset(record.name, record.type)
    if there is not None and record.data in there.datas and record.ttl == there.ttl:
        return True
    if record.type == CNAME:
        draft.put_rrset(record.name, RRset(CNAME, record.ttl, (record.data,)))
    else:
        draft.add(record)
    node = draft.get(record.name)
    return (
        sum(len(rrset.datas) for rrset in node) <= limits.records
        and sum(sum(map(len, rrset.datas)) for rrset in node) <= limits.size
    )
