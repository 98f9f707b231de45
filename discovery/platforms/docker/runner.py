"""DockerRunner: replicas as containers (see `workloads.runner`), which outlive weft and are found again.

What there is, the engine says: until its containers have been listed once, `known` is False and nothing is started.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence

import msgspec

from config.configset import ConfigSet
from config.resources.workloads import Deployment, PodTemplate
from discovery.endpoint import WorkloadRef
from discovery.platforms.docker.engine import ANSWER_SECONDS, EngineError
from discovery.platforms.docker.host import Host
from discovery.platforms.docker.labels import WORKLOAD
from discovery.platforms.docker.mark import Mark, mark_of
from discovery.platforms.docker.replica import DockerReplica
from discovery.platforms.docker.usage import Usage
from discovery.workloads.names import digest_of
from discovery.workloads.runner import RunnerChanged

RETRY_SECONDS = 0.5

log = logging.getLogger("weft.docker")


class DockerRevision(msgspec.Struct, frozen=True):
    """The network decides too what a replica is: those in another one cannot be moved."""

    digest: str
    network: str
    template: PodTemplate


class DockerRunner:
    """Needs a running event loop."""

    def __init__(self, host: Host) -> None:
        self.known = False
        self._host = host
        self._usage = Usage(host.engine.stats, host.clock)
        self._replicas: dict[WorkloadRef, list[DockerReplica]] = {}
        self._subscribers: list[RunnerChanged] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._helpers: list[asyncio.Task[None]] = []

    async def define(self, config_set: ConfigSet) -> None:
        self._host.adopt(config_set)
        if not self._helpers:
            loop = asyncio.get_running_loop()
            self._helpers = [loop.create_task(self._find()), loop.create_task(self._usage.run())]
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
        self._add(mark, {})

    def replicas(self, workload: WorkloadRef) -> Sequence[DockerReplica]:
        return tuple(self._replicas.get(workload, ()))

    def workloads(self) -> Collection[WorkloadRef]:
        return tuple(self._replicas)

    def subscribe(self, changed: RunnerChanged) -> None:
        self._subscribers.append(changed)

    def observe(self) -> None:
        """Something about the containers of the engine changed."""
        for replica in self._all():
            replica.observe()

    async def close(self) -> None:
        """Let the containers be: the next weft finds them.

        Those that are ending get the time for it; what an engine that is gone leaves, the next weft ends.
        """
        ending = [task for task in self._tasks if task.get_name() in self._ending()]
        for task in {*self._tasks, *self._helpers}.difference(ending):
            task.cancel()
        try:
            if ending:
                await asyncio.wait(ending, timeout=self._patience())
        finally:
            for task in ending:
                task.cancel()
            await asyncio.gather(*self._tasks, *self._helpers, return_exceptions=True)
            await self._host.engine.close()

    def _patience(self) -> float:
        """Seconds for all that are ending, drained and with their grace, while the engine answers."""
        return max(2 * each.grace for each in self._all() if each.terminating) + ANSWER_SECONDS

    def _all(self) -> list[DockerReplica]:
        return [replica for replicas in self._replicas.values() for replica in replicas]

    def _ending(self) -> set[str]:
        return {each.id for each in self._all() if each.terminating}

    async def _find(self) -> None:
        """Adopt what runs already, as soon as the engine says what that is."""
        while True:
            try:
                self._host.log_driver = await self._host.engine.log_driver()
                listed = await self._host.engine.containers(everything=True)
            except EngineError:
                await asyncio.sleep(RETRY_SECONDS)
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
            self._add(mark, ids)

    def _add(self, mark: Mark, found: Mapping[str, str]) -> None:
        replica = DockerReplica(self._host, mark, found, self._usage, lambda: self._announce(mark.workload))
        self._replicas.setdefault(mark.workload, []).append(replica)
        task = asyncio.get_running_loop().create_task(self._run(replica), name=replica.id)
        self._tasks.add(task)
        task.add_done_callback(self._on_done)

    async def _run(self, replica: DockerReplica) -> None:
        await replica.run()
        workload = replica.workload
        self._replicas[workload].remove(replica)
        if not self._replicas[workload]:
            del self._replicas[workload]
        self._announce(workload)

    def _announce(self, workload: WorkloadRef | None) -> None:
        for changed in self._subscribers:
            changed(workload)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            context = {"message": "a replica ended by a fault of the platform", "exception": fault, "task": task}
            task.get_loop().call_exception_handler(context)
