"""The responder: a query's bytes in, an answer's bytes out; without I/O.

Clients ask the same few questions over and over, in the same bytes but for the id.  So what was answered once
is kept as a finished message under the query's own bytes, and the next time costs one look-up.  It must not outlive
what it was made of: what names change is said, and answers that hold one of these are forgotten.  Answers that say
no are kept apart, so that a flood of made-up names cannot crowd out the others; they hold the zone's serial, which
any change moves, so that is put in when they are sent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from random import Random
from typing import Final

from discovery.registry import wire
from discovery.registry.content import Node, RRset, parent
from discovery.registry.found import Found, Names
from discovery.registry.render import LARGEST_TCP, Answer, Finished, Reason, Serial, render, udp_limit
from discovery.registry.wire import Malformed, Query, QueryError, Record, parse_query, to_labels, to_wire
from discovery.registry.zone import NEGATIVE_TTL

SERVER_NOT_READY: Final = Reason(14, "the cluster's names are not known yet")
NOT_AUTHORITATIVE: Final = Reason(20)
LONGEST_CHAIN: Final = 8
MOST_TARGETS: Final = 64
"""Targets of SRV records whose addresses are added."""
KEPT_BYTES: Final = 1 << 20
"""Of finished messages, those that say yes and those that say no each."""
_ENTRY_BYTES: Final = 400
"""What keeping a message costs beside its bytes."""
_TARGETS: Final = {wire.SRV: 6, wire.NS: 0, wire.CNAME: 0}
"""Types whose data ends with the name of a host, and how many bytes come before it."""
_REFUSED_TYPES: Final = frozenset({251, 252})
"""IXFR and AXFR: this zone is made here and not handed on."""


class _Kept:
    """Finished messages by the bytes that they answer, up to a bound."""

    __slots__ = ("_by_name", "_bytes", "messages")

    def __init__(self) -> None:
        self.messages: dict[bytes, Finished] = {}
        self._by_name: dict[bytes, list[bytes]] = {}
        """The keys of the messages that a name has part in."""
        self._bytes = 0

    def put(self, key: bytes, message: Finished, names: Iterable[bytes] = ()) -> None:
        if self._bytes > KEPT_BYTES:
            self.clear()
        self.messages[key] = message
        self._bytes += len(message) + len(key) + _ENTRY_BYTES
        for name in names:
            self._by_name.setdefault(name, []).append(key)
            self._bytes += _ENTRY_BYTES

    def __len__(self) -> int:
        return len(self.messages)

    def forget(self, name: bytes) -> None:
        for key in self._by_name.pop(name, ()):
            gone = self.messages.pop(key, None)
            self._bytes -= _ENTRY_BYTES + (len(gone) + len(key) + _ENTRY_BYTES if gone is not None else 0)

    def clear(self) -> None:
        self.messages.clear()
        self._by_name.clear()
        self._bytes = 0


class Responder:
    """Answers from the names in force; until there are any, every answer is SERVFAIL."""

    def __init__(self, random: Random, recursion: bool = False) -> None:
        """`recursion`: names that are not ours are looked up elsewhere, by who gets the query back."""
        self._random = random
        self._recursion = recursion
        self._names: Names | None = None
        self._is_partial = False
        """Whether there are names that `_names` does not know of yet."""
        self._by_udp, self._by_tcp = _Kept(), _Kept()
        self._denials_by_udp, self._denials_by_tcp = _Kept(), _Kept()
        self._all_kept = (self._by_udp, self._by_tcp, self._denials_by_udp, self._denials_by_tcp)
        self._date: Reason | None = None
        """Why answers may be old."""
        self._soas: dict[bytes, Serial] = {}
        """By the names of the zones that kept answers tell of."""
        self.finished = self._by_udp.messages
        """What can be sent by UDP at once, under the bytes of a query after its id."""
        self.counts: dict[tuple[str, str], list[int]] = {}
        """Queries by type and rcode."""

    def put_in_force(self, names: Names, moved: Collection[bytes] | None = None, *, is_partial: bool = False) -> None:
        """Answer from `names` from now on; `moved`: those names that are not what they were, None: any may be.

        `is_partial`: what they do not know may be known later, and is answered with SERVFAIL until then.
        """
        if self._is_partial:
            moved = None
        self._names, self._is_partial = names, is_partial
        if moved is None:
            self._forget()
        else:
            self.changed(moved)

    def changed(self, names: Iterable[bytes]) -> None:
        """These names (wire bytes, lower case) are not what they were; those above may exist that did not."""
        if not any(map(len, self._all_kept)):
            self._soas.clear()
            return
        above: set[bytes] = set()
        for name in names:
            self._by_udp.forget(name)
            self._by_tcp.forget(name)
            each = name
            while len(each) > 1 and each not in above:
                above.add(each)
                each = parent(each)
        for each in above:
            self._denials_by_udp.forget(each)
            self._denials_by_tcp.forget(each)
        self._follow_serials()

    def _follow_serials(self) -> None:
        """The SOA records of zones are what they are by now."""
        for apex, serial in self._soas.items():
            found = self._names.find(to_labels(apex)) if self._names is not None else None
            if found is None or found.soa[-20:-16] == serial.bytes:
                continue
            serial.bytes = found.soa[-20:-16]
            self._by_udp.forget(apex)
            self._by_tcp.forget(apex)

    def allow_recursion(self, recursion: bool) -> None:
        """Whether names that are not ours are looked up elsewhere."""
        self._recursion = recursion
        self._forget()

    def date(self, reason: Reason | None) -> None:
        """Have answers say why they may be old; None: they are not."""
        if reason != self._date:
            self._date = reason
            self._forget()

    def _forget(self) -> None:
        for kept in self._all_kept:
            kept.clear()
        self._soas.clear()

    def respond(self, message: bytes, tcp: bool = False) -> bytes | Query | None:
        """The answer; None where there is to be none; the query itself if it is to be looked up elsewhere."""
        kept_ones = (self._by_tcp, self._denials_by_tcp) if tcp else (self._by_udp, self._denials_by_udp)
        tail = message[2:]
        kept = kept_ones[0].messages.get(tail) or kept_ones[1].messages.get(tail)
        if kept is not None:
            kept.tally[0] += 1
            return message[:2] + kept.next()
        try:
            query = parse_query(message)
        except Malformed:
            return None
        except QueryError as error:
            self.count(0, error.rcode)
            return error.reply
        answer = self._decide(query)
        if answer is None:
            return query
        finished = self.finish(query, answer, tcp)
        finished.tally[0] += 1
        message = query.id + finished.next()
        if _is_common(query) and (answer.reason is None or answer.reason.lasts):
            self._keep(tail, finished, answer, _parts(query, answer), kept_ones)
        return message

    def _keep(
        self, tail: bytes, finished: Finished, answer: Answer, parts: Iterable[bytes], kept_ones: tuple[_Kept, _Kept]
    ) -> None:
        """Have `finished` at hand until something changes that it tells of."""
        soas = [record for record in (*answer.authority, *answer.records) if record.type == wire.SOA]
        serials = [self._soas.setdefault(soa.name, Serial(soa.data[-20:-16])) for soa in soas]
        positive, negative = kept_ones
        if not answer.authority:
            positive.put(tail, finished, parts)
        elif serials and finished.follow(soas[0].data[-20:], serials[0]):
            negative.put(tail, finished, parts)

    def finish(self, query: Query, answer: Answer, tcp: bool) -> Finished:
        """`answer` as a message for `query`, counted where its type and rcode are."""
        limit = LARGEST_TCP if tcp else udp_limit(query)
        finished = render(query, answer, limit, self._recursion, self._random.randrange(1 << 16))
        finished.tally = self._tally(query.type, answer.rcode)
        return finished

    def count(self, kind: int, rcode: int) -> None:
        """One more query of this type got this rcode."""
        self._tally(kind, rcode)[0] += 1

    def _tally(self, kind: int, rcode: int) -> list[int]:
        key = wire.TYPE_NAMES.get(kind, "other"), wire.RCODE_NAMES.get(rcode, "other")
        return self.counts.setdefault(key, [0])

    def local(self, query: Query) -> Answer | None:
        """What we know ourselves of a question, following CNAMEs; None: nothing at all."""
        assert self._names is not None
        return resolve(self._names, query.labels, query.type)

    def knows(self, labels: wire.Labels) -> bool:
        """Whether a name is ours, if only to deny it."""
        return self._names is not None and self._names.find(labels) is not None

    def _decide(self, query: Query) -> Answer | None:
        if query.edns is not None and query.edns.version:
            return Answer(wire.BADVERS, authoritative=False)
        if self._names is None:
            return Answer(wire.SERVFAIL, authoritative=False, reason=SERVER_NOT_READY)
        if query.klass == wire.IN and query.type not in _REFUSED_TYPES:
            answer = self.local(query)
            if answer is not None and not (self._recursion and needs_more(query, answer)):
                return answer if answer.reason or self._date is None else answer._replace(reason=self._date)
            if answer is None and self._is_partial:
                return Answer(wire.SERVFAIL, authoritative=False, reason=SERVER_NOT_READY)
            if self._recursion:
                return None
        return Answer(wire.REFUSED, authoritative=False, reason=NOT_AUTHORITATIVE)


def needs_more(query: Query, answer: Answer) -> bool:
    """Whether a chain of CNAMEs ends at a name that is looked up elsewhere, for who wants it followed."""
    last = answer.records[-1] if answer.records else None
    chased = last is not None and last.type == wire.CNAME and query.type not in {wire.CNAME, wire.ANY}
    return chased and not answer.authority and query.recursion_desired


def _is_common(query: Query) -> bool:
    """Whether others may well send the same bytes: no cookie or other option, no random case, nothing odd."""
    name = query.question[:-4]
    return name == name.lower() and (query.edns is None or query.edns.plain)


def _parts(query: Query, answer: Answer) -> set[bytes]:
    """The names that have part in an answer, as those do of which there might be more, were they not what they are."""
    names = {to_wire(query.labels), *answer.depends}
    for record in (*answer.records, *answer.additional):
        names.add(record.name)
        before = _TARGETS.get(record.type)
        if before is not None:
            names.add(record.data[before:].lower())
    return names


def resolve(view: Names, labels: wire.Labels, kind: int) -> Answer | None:
    """What `view` says to a question; None: the name is not ours.

    The end of a chain of CNAMEs decides about rcode and authority (RFC 1034 section 4.3.2, RFC 6604).
    """
    chain: list[Record] = []
    depends: list[bytes] = []
    for _ in range(LONGEST_CHAIN):
        found = view.find(labels)
        if found is None:
            break
        name = to_wire(labels)
        if found.depends:
            depends.append(found.depends)
        node = found.node or ()
        alias = None if kind in {wire.CNAME, wire.ANY} else _rrset(node, wire.CNAME)
        if alias is not None:
            chain += _records(name, alias)
            labels = to_labels(chain[-1].data)
            continue
        rrset = node[0] if kind == wire.ANY and node else _rrset(node, kind)
        if rrset is not None:
            records = _records(name, rrset)
            return Answer(records=(*chain, *records), additional=tuple(_targets(view, records)), depends=tuple(depends))
        rcode = wire.NXDOMAIN if found.node is None else wire.NOERROR
        return Answer(rcode, tuple(chain), (_soa(found),), reason=found.reason, depends=tuple(depends))
    return Answer(records=tuple(chain)) if chain else None


def _rrset(node: Node, kind: int) -> RRset | None:
    return next((rrset for rrset in node if rrset.type == kind), None)


def _records(name: bytes, rrset: RRset) -> list[Record]:
    return [Record(name, rrset.type, wire.IN, rrset.ttl, data) for data in rrset.datas]


def _soa(found: Found) -> Record:
    """For a denial: its TTL is how long the denial may be kept (RFC 2308 section 3)."""
    return Record(found.apex, wire.SOA, wire.IN, NEGATIVE_TTL, found.soa)


def _targets(view: Names, records: list[Record]) -> Iterator[Record]:
    """The addresses of the targets of SRV and NS records."""
    before = _TARGETS.get(records[0].type)
    if before is None:
        return
    for target in list(dict.fromkeys(record.data[before:] for record in records))[:MOST_TARGETS]:
        found = view.find(to_labels(target))
        for rrset in (found.node or ()) if found else ():
            if rrset.type in {wire.A, wire.AAAA}:
                yield from _records(target, rrset)
