"""Assembly: the one place where the seams of all floors are joined.

What was written and what exists go to the publisher, its tables to the proxy and the listeners, replicas from
the platform to the catalog, acknowledgements back to the platform, frames to /metrics.  Parts are started and
stopped here in the order in which they depend on each other, and whatever runs beside has this owner.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from ipaddress import ip_network
from itertools import chain
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from config.changes import same
from config.configset import ConfigSet
from config.settings import NodeConfigSpec
from discovery.catalog import Catalog
from discovery.endpoint import Replica
from discovery.platforms.base import Drained
from discovery.prober import Prober
from mesh.access_log import AccessLog
from mesh.compiler import Compiled
from mesh.exposition import FamilyLike
from mesh.listener import Listeners
from mesh.live import Live
from mesh.log_lines import FORMATS
from mesh.metrics import page, process_families
from mesh.proxy import Proxy
from mesh.recent import Recent
from mesh.sockets import bind
from mesh.tls import expiry
from sidecar import views
from sidecar.asking import Asking
from sidecar.autoscaling import Autoscaling
from sidecar.checks import Checks
from sidecar.dns import NodeDNS, Zones
from sidecar.documents import Answer, Question, Stream, Write
from sidecar.existing import Existing
from sidecar.families import Reloads, build_info
from sidecar.fingerprints import new_fingerprints
from sidecar.garbage import Garbage
from sidecar.joining import Draining, served_at
from sidecar.local_route import routed
from sidecar.platforms import Platforms, for_node
from sidecar.publisher import Publisher
from sidecar.pulse import Pulse
from sidecar.readiness import Missing
from sidecar.registry import Registry
from sidecar.rollouts import rollouts_of
from sidecar.running import Running, Runs
from sidecar.scales import Scales
from sidecar.state import StateFolder
from sidecar.waking import Waker, Waking
from sidecar.written import Written

if TYPE_CHECKING:
    from mesh.autoscaling.target import SampleSource

GRACE_SECONDS = 0.05
"""What clients sent before the listeners closed may take this long to get here."""
MakeZones = Callable[[ConfigSet, Catalog, Path, Random], Zones]
PROXY = "proxy"
"""The catalog's consumer: what is acknowledged under this name is in force in this process."""


class Assembly:
    """All parts of one node."""

    def __init__(self, written: Written, state: StateFolder, make_zones: MakeZones = Registry) -> None:
        """Make the parts, in a running event loop; `make_zones` makes the written zones.  Raises UserError."""
        loop = asyncio.get_running_loop()
        self._config_set = config_set = written.config_set
        self._existing = Existing(config_set)
        self.catalog = self._existing.catalog
        self._zones = make_zones(config_set, self.catalog, state.path, Random())
        self.proxy = Proxy(loop, time.monotonic)
        self._adopt(config_set.node)
        self._garbage = Garbage(lambda: len(self.proxy.clients))
        if isinstance(self._zones, Registry):
            self._zones.grown.append(self._garbage.keep)
        self.listeners = Listeners(self.proxy, partial(bind, routed=routed(config_set.node.service_range)))
        self._inbound = self._zones.publish_at(self.listeners.inbound)
        self.publisher = Publisher(self.proxy, config_set, self.catalog.snapshot)
        self._pulse = Pulse(loop, self.proxy.deadlines)
        self._access_log = _access_log(config_set.node)
        self._hide = new_fingerprints(state.path)
        self.recent = Recent(self.proxy, config_set.node.recent.size, config_set.node.recent.keep == "all")
        if self._access_log is not None:
            self.recent.watch(self._access_log)
        self.prober = Prober(Random(), loop.time)
        self._checks = Checks(self.prober)
        self._draining = Draining(self.catalog, self.proxy)
        self.platform = self._make_platform(state)
        self._reloads = Reloads()
        self.running = Running(
            config_set=config_set, faults=written.faults, catalog=self.catalog, reloads=self._reloads,
            proxy=self.proxy, publisher=self.publisher, listeners=self.listeners, platform=self.platform,
        )  # fmt: skip
        self._tell(written)
        self.autoscaling = self._make_autoscaling()
        self._asking = Asking(self.running, self.recent, time.monotonic)
        self._rollouts = rollouts_of(self.platform, self._hide, self._reloads)
        self.dns = NodeDNS(config_set, self.catalog, state.path, self._zones)
        self.running.lacks.append(self._lack)
        self.scales = self._tell_scales()
        self._waking: Waking | None = None
        if self.autoscaling is not None:
            self.wake_by(self.autoscaling)
        self._stopping = False
        self.elsewhere: Drained | None = None
        """Waits until no other node sends to a replica; None: there is none that could be asked."""

    def _make_autoscaling(self) -> Autoscaling | None:
        """None: what is seen of the traffic here is not all of it, or nothing is run here."""
        if not (isinstance(self._zones, Registry) and isinstance(self.platform, Platforms)):
            return None
        source = partial(_live_source, self.proxy.live)
        made = Autoscaling(self._config_set, source, self.platform, self._zones.standby)
        self.running.autoscaled = made.status
        return made

    def wake_by(self, waker: Waker) -> None:
        """Have what sleeps at zero woken by `waker`; before anything runs."""
        self._waking, room = Waking(self.scales, waker), self.proxy.live.room
        room.wakeable, room.wake, room.held = self._waking.wakeable, self._waking.wake, self._waking.held
        self.running.asleep = self._waking.says

    def _tell_scales(self) -> Scales:
        """Have those who say why there is no endpoint know what is scaled to zero."""
        publisher, desired = self.publisher, self.platform.desired
        scales = Scales(lambda: publisher.compiled.config_set if publisher.compiled else None, desired)
        if isinstance(self.platform, Platforms):
            scales.sizes.append(self.platform.size)
        self.proxy.live.asleep = scales.asleep
        self.dns.follow_scales(scales.sleeps)
        return scales

    def _tell(self, written: Written) -> None:
        """Have readers know what was read, and how that went."""
        self.running.config_set, self.running.faults = written.config_set, written.faults
        self.running.kept = frozenset(written.kept)
        self._reloads.read(successful=not written.failed, at=time.time())

    def _adopt(self, node: NodeConfigSpec) -> None:
        """Follow what the NodeConfig says of the data plane, and may change at any time."""
        self.proxy.trusted_proxies = tuple(map(ip_network, node.trusted_proxies))
        self.proxy.farewell = node.drain_timeout

    def _make_platform(self, state: StateFolder) -> Runs:
        at, finds = partial(served_at, self.listeners), isinstance(self._zones, Registry)
        return for_node(self._config_set.node, state, self.prober, self._drained, at, finds=finds)

    async def start(self) -> None:
        """Put the first table in force and open the listeners."""
        self._pulse.start()
        self.catalog.subscribe(self.publisher.catalog_changed)
        self.publisher.in_force += [
            self._open_listeners,
            self._acknowledge,
            self._checks.put_in_force,
            self._name,
        ]
        await self.publisher.publish()
        await self.listeners.settled()
        await self.dns.start()
        self._garbage.keep()

    async def run_beside(self) -> None:
        """What runs as long as this node does, until cancelled: it belongs in a task group of the caller."""
        async with asyncio.TaskGroup() as beside:
            beside.create_task(self.publisher.run())
            beside.create_task(self.dns.run())
            beside.create_task(self._learn())
            if self.autoscaling is not None:
                beside.create_task(self.autoscaling.run())
            if self._waking is not None:
                beside.create_task(self._waking.run())
            if self._inbound is not None:
                beside.create_task(self._inbound.run())
            if self._access_log is not None:
                beside.create_task(self._access_log.run(self.recent.gather))

    async def _learn(self) -> None:
        """Say when the zones are known: that need not bring a table."""
        await self._zones.known()
        self.running.stirred()

    async def start_platform(self) -> None:
        """Start the replicas."""
        self.platform.subscribe(self._replicas_changed)
        await self.platform.apply(self._config_set)

    async def reload(self, written: Written) -> None:
        """Put in force what is written now, beside the traffic: first what is served, then what runs behind it.

        Needs `run_beside` to be running.
        """
        config_set = written.config_set
        if same(self._config_set, config_set):
            self._tell(written)
            return
        with self._garbage.unsought(_new_objects(self._config_set, config_set)):
            self._config_set = config_set
            with self.publisher.held():
                await self._existing.change(config_set)
                self._zones.define(config_set)
                await self._zones.fill()
                self.publisher.config_changed(config_set)
            self._adopt(config_set.node)
            self._tell(written)
            await self.publisher.settled()
            await self.listeners.settled()
        await asyncio.sleep(0)
        if self.autoscaling is not None:  # who scales nothing any more cannot change what is released now
            self.autoscaling.define(config_set)
        await self.platform.apply(config_set)

    async def drain(self, delay: float) -> None:
        """Say that the end is near, and go on serving for `delay` seconds: who balances over nodes may notice."""
        self.running.draining = True
        self.proxy.draining = True
        await asyncio.sleep(delay)

    async def stop(self) -> None:
        """Accept nothing more, finish what is in flight, stop the replicas; all within bounds.

        Doors to the outside come first: what came through them may need other Services before it is answered.
        """
        self._draining.begin(self._config_set.node.drain_timeout, self.listeners.give_up)
        self._stopping = self.running.draining = self.proxy.draining = True
        if self.autoscaling is not None:
            self.autoscaling.stop()
        self.proxy.live.room.close()
        await self.listeners.close_outside()
        await asyncio.sleep(GRACE_SECONDS)
        self.listeners.drain_outside()
        await self._draining.until(lambda: not self.listeners.serves_outside)
        await self.listeners.close()
        await asyncio.sleep(GRACE_SECONDS)
        self.proxy.drain()
        inbound = self.listeners.inbound
        await self._draining.until(lambda: len(self.proxy.clients) <= inbound.all_connections)
        await self.platform.close()
        inbound.close_all()
        if self.proxy.clients:  # they may read what they were told
            await asyncio.sleep(GRACE_SECONDS)
        self.listeners.abort()
        await self.dns.close()
        self._pulse.stop()
        await self.prober.close()

    def answers(self) -> dict[str, Answer]:
        """What the admin server says, by path."""
        inbound = {} if self._inbound is None else {"/api/v1/inbound": self._inbound.document}
        scaling = {} if self.autoscaling is None else {"/api/v1/autoscalers": self.autoscaling.document}
        platforms = {"/api/v1/platforms": self.platform.document} if isinstance(self.platform, Platforms) else {}
        own = views.answers(self.running, self._hide)
        return {**own, "/api/v1/dns": self.dns.document, **inbound, **scaling, **platforms, **self._rollouts.answers()}

    def questions(self) -> dict[str, Question]:
        """What the admin server is asked, by path."""
        return {"/api/v1/explain": self._asking.explain, **self._rollouts.questions()}

    def writes(self) -> dict[str, Write]:
        """What is changed through the admin server, by path."""
        return self._rollouts.writes()

    def streams(self) -> dict[str, Stream]:
        """What the admin server tells as it happens, by path."""
        return {"/api/v1/tap": self._asking.tap}

    def metrics(self) -> Iterator[bytes]:
        """The page of /metrics, in slices."""
        from discovery.metrics import families  # here, because nothing that serves needs prometheus_client

        others: Iterable[FamilyLike] = chain(
            self._reloads.families(),
            self.publisher.convergence.families(),
            [build_info()],
            families(self.catalog, self.prober),
            self.dns.families(),
            () if self._inbound is None else self._inbound.families(),
            self._certificates(),
            self.platform.families() if isinstance(self.platform, Platforms) else (),
            self._rollouts.families(),
            self.autoscaling.families() if self.autoscaling is not None else (),
            process_families(),
        )
        return page(self.proxy.frames.steps(), others, self._pulse.lag)

    def _certificates(self) -> Iterable[FamilyLike]:
        compiled = self.publisher.compiled
        return expiry.families(compiled.entrance.termination.keyring) if compiled else ()

    async def _drained(self, replica_id: str, deadline: float) -> None:
        """Those elsewhere are told first, for they need longest."""
        await self._zones.told(min(deadline, self._draining.latest) - asyncio.get_running_loop().time())
        if self.elsewhere is not None:
            await self.elsewhere(replica_id, min(deadline, self._draining.latest))
        await self._draining.drained(replica_id, deadline)

    def _replicas_changed(self, replicas: tuple[Replica, ...]) -> None:
        self._zones.replicas.put_replicas("platforms", replicas)

    def _name(self, compiled: Compiled) -> None:
        self.dns.put_in_force(compiled.config_set, compiled.snapshot)

    def _lack(self) -> Missing | None:
        return Missing("registry", self._zones.lack) if self._zones.lack else None

    def _open_listeners(self, compiled: Compiled) -> None:
        if not self._stopping:
            self.listeners.reconcile(compiled.table)

    def _acknowledge(self, compiled: Compiled) -> None:
        self.catalog.acknowledge(PROXY, compiled.snapshot.generation)


def _live_source(live: Live) -> SampleSource:
    from mesh.autoscaling.loads import LiveSource

    return LiveSource(live)


def _new_objects(before: ConfigSet, now: ConfigSet) -> int:
    """How many objects of `now` are not those that were there before."""
    tables = [(old, new) for (_, old), (_, new) in zip(before.tables(), now.tables(), strict=True) if old is not new]
    return sum(old.get(name) is not item for old, new in tables for name, item in new.items())


def _access_log(node: NodeConfigSpec) -> AccessLog | None:
    return AccessLog(write_lines, FORMATS[node.access_log_format]) if node.access_log else None


def write_lines(lines: bytes) -> None:
    """Access log lines go to stdout, beside what ``weft up`` tells; may block."""
    sys.stdout.buffer.write(lines)
    sys.stdout.buffer.flush()
