"""One question to DNS servers, by dnspython: names searched, chains followed, SRV targets resolved.

UDP first, TCP when an answer is truncated, signed when there is a key.  That a name does not exist is an answer;
a server that is silent or refuses is none, and the next one is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final, NamedTuple

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.tsig
from dns.rdtypes.IN.SRV import SRV

from config.dns_source import DNSSource
from config.tsig import TsigKey
from discovery.registry.exchange import NoAnswer, converse
from discovery.registry.render import LARGEST_UDP
from discovery.registry.resolv_conf import Resolver
from discovery.sources.refresh import Target

LONGEST_CHAIN: Final = 8
MOST_TARGETS: Final = 256
"""SRV targets whose addresses are looked up."""
PARALLEL: Final = 16
SILENT_TTL: Final = 5
"""Of a denial that does not say how long it holds."""


class LookupFailed(Exception):
    """No server has given an answer; the text says why."""

    refused = False
    """A server said that it has none: it may have one for another name."""


class Found(NamedTuple):
    targets: tuple[Target, ...]
    ttl: int
    """Seconds."""


class Lookup:
    """Asks `servers`, in this order."""

    def __init__(self, source: DNSSource, servers: Sequence[tuple[str, int]], key: TsigKey | None) -> None:
        self._search = source.search
        self._servers = servers
        self._key = key and dns.tsig.Key(key.name, key.secret, key.algorithm)

    async def find(self, name: str, kind: str) -> Found:
        """What `name` stands for; `kind` is A, AAAA or SRV.  Raises `LookupFailed`."""
        failure = None
        for candidate in self._candidates(name):
            try:
                response = await self._ask(candidate, kind)
            except LookupFailed as error:
                if not error.refused:
                    raise
                failure = failure or error
                continue
            if response.rcode() != dns.rcode.NXDOMAIN:
                return await self._targets(response, candidate, kind)
        if failure is not None:  # what was refused may exist
            raise failure
        return await self._targets(response, candidate, kind)

    def _candidates(self, name: str) -> Iterator[dns.name.Name]:
        try:
            if not name.endswith("."):
                yield from (dns.name.from_text(f"{name}.{domain}") for domain in self._search)
            yield dns.name.from_text(name)
        except (dns.exception.DNSException, ValueError) as error:
            raise LookupFailed(f"{name} is not a DNS name ({error})") from None

    async def _targets(self, response: dns.message.Message, name: dns.name.Name, kind: str) -> Found:
        rrset, ttl = await self._follow(response, name, kind)
        if rrset is None:
            return Found((), ttl)
        if kind != "SRV":
            return Found(tuple(Target(record.address) for record in rrset), ttl)
        there = {(each.name, each.rdtype): each for each in response.additional}
        services = [record for record in rrset if isinstance(record, SRV) and record.target != dns.name.root]
        limit = asyncio.Semaphore(PARALLEL)

        async def resolved(record: SRV) -> Found | LookupFailed:
            async with limit:
                try:
                    return await self._addresses(record.target, there)
                except LookupFailed as error:
                    return error

        targets = []
        outcomes = await asyncio.gather(*map(resolved, services[:MOST_TARGETS]))
        for record, outcome in zip(services, outcomes, strict=False):
            if isinstance(outcome, LookupFailed):
                raise outcome
            ttl = min(ttl, outcome.ttl)
            targets += [Target(each.address, record.port, record.priority, record.weight) for each in outcome.targets]
        return Found(tuple(targets), ttl)

    async def _addresses(
        self, target: dns.name.Name, there: dict[tuple[dns.name.Name, dns.rdatatype.RdataType], dns.rrset.RRset]
    ) -> Found:
        """Of an SRV target, both families: from the additional records, else asked for."""
        found, failure = [], None
        for kind in _ADDRESS_TYPES:
            rrset = there.get((target, kind))
            if rrset is not None:
                found.append(Found(tuple(Target(record.address) for record in rrset), rrset.ttl))
                continue
            try:
                text = dns.rdatatype.to_text(kind)
                found.append(await self._targets(await self._ask(target, text), target, text))
            except LookupFailed as error:
                failure = error
        targets = tuple(each for family in found for each in family.targets)
        if failure is not None and not targets:
            raise failure
        # How long a family is not there matters only where there is none.
        return Found(targets, min(family.ttl for family in found if family.targets or not targets))

    async def _follow(
        self, response: dns.message.Message, name: dns.name.Name, kind: str
    ) -> tuple[dns.rrset.RRset | None, int]:
        """The records that a chain of CNAMEs leads to, over as many answers as it takes, and how long they hold."""
        ttl = 1 << 31
        try:
            for _ in range(LONGEST_CHAIN):
                assert isinstance(response, dns.message.QueryMessage)
                chain = response.resolve_chaining()
                says_when = chain.answer is not None or chain.cnames or response.authority
                ttl = min(ttl, chain.minimum_ttl if says_when else SILENT_TTL)
                if chain.answer is not None or chain.canonical_name == name:
                    return chain.answer, ttl
                if response.flags & dns.flags.RA or response.rcode() == dns.rcode.NXDOMAIN:
                    return None, ttl
                name = chain.canonical_name
                response = await self._ask(name, kind)
        except dns.exception.DNSException as error:
            raise LookupFailed(f"the answer for {name} makes no sense ({error})") from None
        raise LookupFailed(f"{name} is the end of too long a chain of CNAMEs")

    async def _ask(self, name: dns.name.Name, kind: str) -> dns.message.Message:
        why, refused = "no DNS server is known", False
        for server in self._servers:
            query = dns.message.make_query(name, kind, use_edns=0, payload=LARGEST_UDP)
            if self._key is not None:
                query.use_tsig(self._key)
            try:
                response = await converse(Resolver(*server), query.to_wire(), partial(_answering, query), _truncated)
            except NoAnswer as error:
                why = str(error)
                continue
            except dns.tsig.PeerError as error:
                why = f"{Resolver(*server)} does not accept the signature ({error})"
                continue
            if response.rcode() in _ANSWERS:
                return response
            why, refused = f"{Resolver(*server)} answered {dns.rcode.to_text(response.rcode())}", True
        failure = LookupFailed(f"{name}: {why}")
        failure.refused = refused
        raise failure


def _answering(query: dns.message.Message, data: bytes) -> dns.message.Message | None:
    """`data` as an answer to `query`, signed as the query is; None if it is no such thing.

    Raises dns.tsig.PeerError for the word of a server that it does not accept our signature.
    """
    try:
        response = dns.message.from_wire(data, keyring=query.keyring, request_mac=query.mac)
    except dns.tsig.PeerError:
        raise
    except (dns.exception.DNSException, ValueError):
        return None
    return response if query.is_response(response) and (response.had_tsig or not query.had_tsig) else None


def _truncated(response: dns.message.Message) -> bool:
    return bool(response.flags & dns.flags.TC)


_ADDRESS_TYPES: Final = (dns.rdatatype.A, dns.rdatatype.AAAA)
_ANSWERS: Final = frozenset({dns.rcode.NOERROR, dns.rcode.NXDOMAIN})
