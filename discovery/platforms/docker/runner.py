"""DockerRunner: replicas as containers (see `workloads.runner`), which outlive weft and are found again.

What there is, the engine says: until its containers have been listed once, `known` is False and nothing is started.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

import msgspec

from config.configset import ConfigSet
from config.resources.workloads import Deployment, PodTemplate
from discovery.backoff import Backoff
from discovery.endpoint import WorkloadRef
from discovery.platforms.docker.engine import ANSWER_SECONDS, EngineError
from discovery.platforms.docker.host import Host
from discovery.platforms.docker.labels import WORKLOAD
from discovery.platforms.docker.mark import Mark, mark_of
from discovery.platforms.docker.replica import DockerReplica
from discovery.platforms.docker.sessions import RECONNECTS
from discovery.platforms.docker.usage import Usage
from discovery.platforms.fleet import Fleet
from discovery.platforms.owned import OwnedTasks
from discovery.workloads.names import digest_of

log = logging.getLogger("weft.docker")


class DockerRevision(msgspec.Struct, frozen=True):
    """The network decides too what a replica is: those in another one cannot be moved."""

    digest: str
    network: str
    template: PodTemplate


class DockerRunner(Fleet[DockerReplica]):
    """Needs a running event loop."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.known = False
        self._host = host
        self._usage = Usage(host.engine.stats, host.clock)
        self._helpers = OwnedTasks()

    async def define(self, config_set: ConfigSet) -> None:
        self._host.adopt(config_set)
        if not self._helpers:
            self._helpers.start(self._find(), "finding containers")
            self._helpers.start(self._usage.run(), "usage of containers")
        self.observe()

    def revise(self, deployment: Deployment) -> DockerRevision:
        """What `deployment` runs here: its template, as it is."""
        template, network = deployment.spec.template, self._host.network
        written = msgspec.json.encode((template, network), order="deterministic")
        return DockerRevision(digest_of(written), network, template)

    def start(self, workload: WorkloadRef, revision: DockerRevision, replica_id: str) -> None:
        first = revision.template.spec.containers[0].name
        mark = Mark(
            workload, replica_id, revision.digest, first, revision.template,
            created=self._host.wall_clock(), network=revision.network, state=self._host.state,
        )  # fmt: skip
        self._begin(mark, {})

    def observe(self) -> None:
        """Something about the containers of the engine changed."""
        for replica in self._all():
            replica.observe()

    async def close(self) -> None:
        """Let the containers be: the next weft finds them.

        Those that are ending get the time for it; what an engine that is gone leaves, the next weft ends.
        """
        leaving = {each.id: each.grace for each in self._all() if each.terminating}
        ending = [task for task in self._running if task.get_name() in leaving]
        for task in set(self._running).difference(ending):
            task.cancel()
        try:
            await self._helpers.close()
            if ending:  # drained, and with their grace, while the engine answers
                await asyncio.wait(ending, timeout=2 * max(leaving.values()) + ANSWER_SECONDS)
        finally:
            await self._running.close()
            await self._host.engine.close()

    async def _find(self) -> None:
        """Adopt what runs already, as soon as the engine says what that is."""
        backoff = Backoff(RECONNECTS, self._host.random)
        while True:
            try:
                self._host.log_driver = await self._host.engine.log_driver()
                listed = await self._host.engine.containers(everything=True)
            except EngineError:
                await asyncio.sleep(backoff.failed(self._host.clock()))
                continue
            break
        self._adopt(listed)
        self.known = True
        self._announce(None)

    def _adopt(self, listed: Mapping[str, Mapping[str, str]]) -> None:
        found: dict[tuple[WorkloadRef, str], tuple[Mark, dict[str, str]]] = {}
        for name, labels in listed.items():
            mark = mark_of(labels)
            if mark is None and WORKLOAD in labels:
                log.warning("a container has labels of weft's that cannot be read: it is let be", extra={"id": name})
            elif mark is not None and mark.state == self._host.state:
                found.setdefault((mark.workload, mark.replica), (mark, {}))[1][mark.container] = name
        for mark, ids in sorted(found.values(), key=lambda each: each[0].created):
            log.info("replica is adopted", extra={"replica": mark.replica})
            self._begin(mark, ids)

    def _begin(self, mark: Mark, found: Mapping[str, str]) -> None:
        self._add(DockerReplica(self._host, mark, found, self._usage, lambda: self._announce(mark.workload)))
