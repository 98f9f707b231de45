"""Forwarding: names that are not ours are asked of the system's resolvers, for clients that may ask.

Clients that ask the same at the same time wait for one answer.  That also keeps a loop from becoming a storm: a
question that comes back to us while it is under way joins itself, and ends when its time is up.  That there is
a loop is found out by a question that nobody else asks: if it arrives here, the resolver that got it sends its
questions to us, and is asked no more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from ipaddress import ip_address
from random import Random
from typing import Final

from config.addresses import Network
from discovery.registry import wire
from discovery.registry.answer_cache import AnswerCache
from discovery.registry.asked import Reply
from discovery.registry.exchange import NoAnswer, ask, question_bytes
from discovery.registry.render import Answer, Reason
from discovery.registry.resolv_conf import Resolver
from discovery.registry.responder import NOT_AUTHORITATIVE, Responder
from discovery.registry.wire import Labels, Message, Query, to_labels, to_wire

MOST_UNDER_WAY: Final = 1024
REREAD_SECONDS: Final = 5.0
PROHIBITED: Final = Reason(18, "other names are only looked up for resolver.allowFrom")
NETWORK_ERROR: Final = 23
_HINFO: Final = 13
_USEFUL: Final = frozenset({wire.NOERROR, wire.NXDOMAIN})

_Key = tuple[Labels, int, int, bool, int]
_Waiter = Callable[[Answer], None]

log = logging.getLogger(__name__)


class Forwarder:
    """Answers from what other servers say; the owner of all questions under way."""

    def __init__(
        self,
        responder: Responder,
        resolvers: Callable[[], tuple[Resolver, ...]],
        allowed: tuple[Network, ...],
        random: Random,
        clock: Callable[[], float],
    ) -> None:
        """`resolvers` reads who is to be asked; `allowed`: whose questions are forwarded."""
        self._responder = responder
        self._read = resolvers
        self._allowed = allowed
        self._random = random
        self._clock = clock
        self._resolvers: tuple[Resolver, ...] = ()
        self._probes: dict[Labels, Resolver] = {}
        self._looping: set[Resolver] = set()
        self._cache = AnswerCache()
        self._under_way: dict[_Key, list[_Waiter]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Keep to the resolvers that are named now, until cancelled; then end what is under way."""
        try:
            while True:
                self._follow(self._read())
                await asyncio.sleep(REREAD_SECONDS)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def look_up(self, query: Query, client: str, tcp: bool, send: Reply) -> None:
        """Answer `query` by `send`, now or later; in any case once."""
        respond = partial(self._respond, query, tcp, send)
        if not query.recursion_desired:
            respond(self._responder.local(query) or _refusal(NOT_AUTHORITATIVE))
        elif not self._may_ask(client):
            respond(self._responder.local(query) or _refusal(PROHIBITED))
        elif query.labels in self._probes:
            self._found_loop(self._probes[query.labels])
            respond(_failure("this question was ours"))
        else:
            self._chase(query, respond)

    def _chase(self, query: Query, respond: _Waiter) -> None:
        """Follow what we know ourselves of the name, and ask for the rest."""
        local = self._responder.local(query)
        labels, chain = query.labels, local.records if local else ()
        if chain:
            labels = to_labels(chain[-1].data)
            waiting = respond

            def respond(answer: Answer) -> None:
                waiting(answer._replace(records=(*chain, *answer.records)))

        key = labels, query.type, query.klass, bool(query.edns and query.edns.dnssec_ok), query.flags & wire.CD
        kept = self._cache.get(key, self._clock())
        if kept is not None:
            respond(kept)
        elif key in self._under_way:
            self._under_way[key].append(respond)
        elif len(self._under_way) >= MOST_UNDER_WAY:
            respond(_failure("too many questions are under way"))
        else:
            self._under_way[key] = [respond]
            self._start(self._resolve(key))

    def _respond(self, query: Query, tcp: bool, send: Reply, answer: Answer) -> None:
        finished = self._responder.finish(query, answer, tcp)
        finished.tally[0] += 1
        send(query.id + finished.next())

    def _may_ask(self, client: str) -> bool:
        address = ip_address(client.partition("%")[0])
        return any(address in network for network in self._allowed)

    # -- asking

    async def _resolve(self, key: _Key) -> None:
        answer = _failure("cancelled")
        try:
            answer = await self._answer(key)
            self._cache.put(key, answer, self._clock())
        finally:
            for respond in self._under_way.pop(key):
                respond(answer)

    async def _answer(self, key: _Key) -> Answer:
        """What the first resolver that knows something says."""
        labels, kind, klass, dnssec_ok, flags = key
        question = to_wire(labels) + kind.to_bytes(2, "big") + klass.to_bytes(2, "big")
        why = "no resolver is known" if not self._looping else "the resolvers send their questions to us"
        for resolver in self._resolvers:
            if resolver in self._looping:
                continue
            try:
                message = await ask(resolver, question_bytes(self._id(), question, flags, dnssec_ok))
            except NoAnswer as error:
                why = str(error)
                continue
            if message.rcode in _USEFUL:
                return _taken(message)
            why = f"{resolver} answered {wire.RCODE_NAMES.get(message.rcode, message.rcode)}"
        return _failure(why)

    def _id(self) -> bytes:
        return self._random.randbytes(2)

    def _start(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- loops

    def _follow(self, resolvers: tuple[Resolver, ...]) -> None:
        """Ask these from now on, and find out whether they ask us."""
        if resolvers == self._resolvers:
            return
        self._resolvers = resolvers
        self._looping.clear()
        self._probes = {(self._random.randbytes(12).hex().encode(),) * 2: resolver for resolver in resolvers}
        for labels, resolver in self._probes.items():
            self._start(self._probe(labels, resolver))

    async def _probe(self, labels: Labels, resolver: Resolver) -> None:
        question = to_wire(labels) + _HINFO.to_bytes(2, "big") + wire.IN.to_bytes(2, "big")
        try:
            await ask(resolver, question_bytes(self._id(), question, 0, False))
        except NoAnswer as error:
            log.info("looking for a DNS loop: %s", error)

    def _found_loop(self, resolver: Resolver) -> None:
        if resolver not in self._looping:
            self._looping.add(resolver)
            log.warning(
                "DNS: resolver %s sends its questions back here, so it is not asked: name another one in %s",
                resolver, "/etc/resolv.conf",
            )  # fmt: skip


def _taken(message: Message) -> Answer:
    """What is handed on of another server's answer: OPT is between two servers only (RFC 6891 section 6.1.1)."""
    additional = tuple(record for record in message.additional if record.type != wire.OPT)
    return Answer(message.rcode, message.answers, message.authority, additional, authoritative=False)


def _refusal(reason: Reason) -> Answer:
    return Answer(wire.REFUSED, authoritative=False, reason=reason)


def _failure(why: str) -> Answer:
    return Answer(wire.SERVFAIL, authoritative=False, reason=Reason(NETWORK_ERROR, why))
