"""DNS as a source: Services without a selector take their endpoints from any DNS server, and ExternalName Services
that something leads to are the addresses of their name.

Each question (a name, a type) is asked by a task of its own as often as its answers say; what is held of it is
`sources/refresh`, how it is asked is `sources/lookup`.  A Service's endpoints are those of all of its questions.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

from config.configset import ConfigSet
from config.dns_source import DNSSource, dns_source, is_from_dns, tsig_key
from config.external_names import led_to
from config.meta import Named
from config.resources.core import Service, ServicePort
from config.tsig import TsigKey
from discovery.catalog import Catalog
from discovery.endpoint import Endpoint
from discovery.membership import ports_of
from discovery.sources.circles import Place, places_before
from discovery.sources.hosts import Hosts
from discovery.sources.refresh import Refresh, Target, endpoints

if TYPE_CHECKING:
    from discovery.sources.lookup import Found

SOURCE: Final = "dns"
PARALLEL: Final = 32
"""Questions at once."""
HELD_SECONDS: Final = 5
"""After which the hosts file is looked at again."""

log = logging.getLogger(__name__)


class Question(NamedTuple):
    """What is asked, and how."""

    name: str
    type: str
    source: DNSSource
    key: TsigKey | None
    external: bool = False
    """Of an ExternalName Service: looked for in the hosts file first."""


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

    def __init__(
        self, catalog: Catalog, random: Random, servers: Callable[[str], Sequence[tuple[str, int]]], hosts: Hosts
    ) -> None:
        """`servers`: who knows a name that an ExternalName Service stands for, and, of the empty name, who is asked
        for Services that do not say whom to ask; `hosts` know such names before them."""
        self._catalog = catalog
        self._random = random
        self._servers = servers
        self._hosts = hosts
        self._circles: dict[Named, frozenset[Place]] = {}
        """Of the ExternalName Services: where their names must not lead."""
        self._limit = asyncio.Semaphore(PARALLEL)
        self._services: dict[Named, Service] = {}
        self._watches: dict[Named, dict[Question, _Watch]] = {}
        self._ended: set[asyncio.Task[None]] = set()
        self._told: set[Named] = set()
        """Services whose names were said to lead around in a circle."""
        self._unasked: dict[Named, str] = {}
        """Services for which nothing can be asked, and why not."""

    def apply(self, config_set: ConfigSet) -> None:
        """These are the Services now; questions that stay keep what is known of them."""
        external = led_to(config_set)
        self._circles = {name: places_before(name, config_set) for name in external}
        wanted = {name: each for name, each in config_set.services.items() if name in external or is_from_dns(each)}
        for gone in self._watches.keys() - wanted.keys():
            self._ask_only(gone, set())
            del self._watches[gone]
            self._catalog.change_endpoints(SOURCE, {gone: {}})
        self._services = wanted
        self._told &= external.keys()
        self._unasked = {name: why for name, why in self._unasked.items() if name in wanted}
        for named, service in wanted.items():
            self._ask_only(named, self._questions(named, service, config_set))
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

    def _questions(self, named: Named, service: Service, config_set: ConfigSet) -> set[Question]:
        """What is asked for a Service; that nothing can be is said once, not at every change of the manifests."""
        try:
            found = set(questions(named, service, config_set))
        except ValueError as error:
            if self._unasked.get(named) != str(error):
                self._unasked[named] = str(error)
                log.warning("Service %s: no endpoints from DNS: %s", named, error)
            return set()
        self._unasked.pop(named, None)
        return found

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
        from discovery.sources.lookup import LookupFailed  # dnspython takes megabytes that few need

        while True:
            try:
                found = await self._find(question)
            except LookupFailed as error:
                self._report(named, refresh, str(error))
                pause = refresh.failed(str(error), asyncio.get_running_loop().time())
            else:
                self._report(named, refresh, "")
                pause = refresh.succeeded(found.targets, found.ttl)
                self._tell(named)
            await asyncio.sleep(pause)

    async def _find(self, question: Question) -> Found:
        from discovery.sources.lookup import Found, Lookup

        held = self._held(question)
        if held is not None:
            return Found(tuple(map(Target, held)), HELD_SECONDS)
        name = question.name if question.external else ""
        lookup = Lookup(question.source, question.source.servers or self._servers(name), question.key)
        async with self._limit:
            return await lookup.find(question.name, question.type)

    def _held(self, question: Question) -> tuple[str, ...] | None:
        """The addresses that are known without asking; None: somebody has to be asked."""
        if not question.external:
            return None
        name = question.name
        return (name,) if _is_address(name) else self._hosts.find(name, question.type)

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
        found = endpoints(targets, port)
        circle = self._circles.get(named, frozenset())
        if not any(each.where in circle for each in found):
            return found
        self._tell_of_circle(named)
        return tuple(each for each in found if each.where not in circle)

    def _tell_of_circle(self, named: Named) -> None:
        """Say it once for as long as the Service is there."""
        if named not in self._told:
            self._told.add(named)
            name = self._services[named].spec.external_name
            log.warning("Service %s: %s leads back to this node's own listeners, and is not sent there", named, name)


def questions(named: Named, service: Service, config_set: ConfigSet) -> Iterator[Question]:
    """What is asked for a Service.  Raises ValueError with a sentence."""
    if service.spec.type == "ExternalName":
        yield from _external_questions(service.spec.external_name)
        return
    source = dns_source(service)
    if source is None:
        return
    key = tsig_key(source, named.namespace, config_set.secrets)
    for port in ports_of(service):
        for kind in ("A", "AAAA") if source.type == "A" else ("SRV",):
            yield Question(source.name_for(port), kind, source, key)


def _external_questions(name: str) -> Iterator[Question]:
    """Of an ExternalName Service, whose name is whole; an address in its place stands for itself."""
    whole = name if _is_address(name) else f"{name.removesuffix('.')}."
    source = DNSSource(name=whole, type="A", servers=(), search=(), tsig="", sample=False)
    for kind in ("A",) if _is_address(name) else ("A", "AAAA"):
        yield Question(whole, kind, source, None, external=True)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
