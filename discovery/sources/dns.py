"""DNS as a source: Services without a selector take their endpoints from any DNS server.

Each question (a name, a type) is asked by a task of its own as often as its answers say; what is held of it is
`sources/refresh`, how it is asked is `sources/lookup`.  A Service's endpoints are those of all of its questions.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Final, NamedTuple

from config.configset import ConfigSet
from config.dns_source import DNSSource, TsigKey, dns_source, is_from_dns, tsig_key
from config.meta import Named
from config.resources.core import Service, ServicePort
from discovery.catalog import Catalog
from discovery.endpoint import Endpoint
from discovery.membership import ports_of
from discovery.sources.refresh import Refresh, endpoints

SOURCE: Final = "dns"
PARALLEL: Final = 32
"""Questions at once."""

log = logging.getLogger(__name__)


class Question(NamedTuple):
    """What is asked, and how."""

    name: str
    type: str
    source: DNSSource
    key: TsigKey | None


class Asked(NamedTuple):
    """How it stands with a question, for people."""

    service: Named
    name: str
    type: str
    targets: int
    failure: str


class _Watch:
    """One question of one Service, and the task that asks it."""

    __slots__ = ("refresh", "task")

    def __init__(self, refresh: Refresh, task: asyncio.Task[None]) -> None:
        self.refresh = refresh
        self.task = task


class DNSSources:
    """Keeps `catalog` told; the owner of all tasks that ask."""

    def __init__(self, catalog: Catalog, random: Random, servers: Callable[[], Sequence[tuple[str, int]]]) -> None:
        """`servers`: the system's resolvers, for Services that do not name any."""
        self._catalog = catalog
        self._random = random
        self._servers = servers
        self._limit = asyncio.Semaphore(PARALLEL)
        self._services: dict[Named, Service] = {}
        self._watches: dict[Named, dict[Question, _Watch]] = {}
        self._ended: set[asyncio.Task[None]] = set()

    def apply(self, config_set: ConfigSet) -> None:
        """These are the Services now; questions that stay keep what is known of them."""
        wanted = {name: each for name, each in config_set.services.items() if is_from_dns(each)}
        for gone in self._watches.keys() - wanted.keys():
            self._ask_only(gone, set())
            del self._watches[gone]
            self._catalog.change_endpoints(SOURCE, {gone: {}})
        self._services = wanted
        for named, service in wanted.items():
            self._ask_only(named, set(questions(named, service, config_set)))
            self._tell(named)

    async def close(self) -> None:
        """Ask no more."""
        for named in self._watches:
            self._ask_only(named, set())
        await asyncio.gather(*self._ended, return_exceptions=True)

    def asked(self) -> Iterator[Asked]:
        """How it stands with all questions."""
        for named, watches in self._watches.items():
            for question, watch in watches.items():
                targets = len(watch.refresh.targets)
                yield Asked(named, question.name, question.type, targets, watch.refresh.failure)

    def _ask_only(self, named: Named, wanted: set[Question]) -> None:
        watches = self._watches.setdefault(named, {})
        for question in watches.keys() - wanted:
            task = watches.pop(question).task
            self._ended.add(task)
            task.add_done_callback(self._ended.discard)
            task.cancel()
        for question in wanted - watches.keys():
            refresh = Refresh(question.source.sample, self._random)
            task = asyncio.get_running_loop().create_task(self._ask(named, question, refresh))
            watches[question] = _Watch(refresh, task)

    async def _ask(self, named: Named, question: Question, refresh: Refresh) -> None:
        from discovery.sources.lookup import Lookup, LookupFailed  # dnspython takes megabytes that few need

        while True:
            lookup = Lookup(question.source, question.source.servers or self._servers(), question.key)
            try:
                async with self._limit:
                    found = await lookup.find(question.name, question.type)
            except LookupFailed as error:
                self._report(named, refresh, str(error))
                pause = refresh.failed(str(error), asyncio.get_running_loop().time())
            else:
                self._report(named, refresh, "")
                pause = refresh.succeeded(found.targets, found.ttl)
                self._tell(named)
            await asyncio.sleep(pause)

    def _report(self, named: Named, refresh: Refresh, failure: str) -> None:
        """Say once that a question has no answer, and once that it has one again."""
        if failure and not refresh.failure:
            kept = "; the endpoints stay as they were" if refresh.answered else ""
            log.warning("Service %s: no endpoints from DNS: %s%s", named, failure, kept)
        elif refresh.failure and not failure:
            log.info("Service %s: DNS answers again", named)

    def _tell(self, named: Named) -> None:
        """Give the catalog what is known; until anything is, it keeps what it has."""
        watches = self._watches[named]
        if any(watch.refresh.answered for watch in watches.values()):
            ports = ports_of(self._services[named])
            self._catalog.change_endpoints(SOURCE, {named: {port.key: self._endpoints(named, port) for port in ports}})

    def _endpoints(self, named: Named, port: ServicePort) -> tuple[Endpoint, ...]:
        targets = (
            target
            for question, watch in self._watches[named].items()
            if question.name == question.source.name_for(port)
            for target in watch.refresh.targets
        )
        return endpoints(targets, port)


def questions(named: Named, service: Service, config_set: ConfigSet) -> Iterator[Question]:
    """What is asked for a Service; what cannot be asked is told in the log."""
    try:
        source = dns_source(service)
        key = tsig_key(source, named.namespace, config_set.secrets) if source else None
    except ValueError as error:
        log.warning("Service %s: no endpoints from DNS: %s", named, error)
        return
    if source is None:
        return
    for port in ports_of(service):
        for kind in ("A", "AAAA") if source.type == "A" else ("SRV",):
            yield Question(source.name_for(port), kind, source, key)
