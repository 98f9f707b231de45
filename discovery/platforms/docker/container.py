"""One container of a replica that Weft runs: made, started, probed, and started again when it ends.

`run` reads as its life, as that of a local process does (`platforms.container`): what happened to it is heard of
through `Host.conditions`, which events keep, and looked up only when it is not there any more.  It outlives this
weft: when `run` is cancelled, the container goes on, and the next weft finds it by its labels.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from discovery.platforms.docker.body import body, ports_of
from discovery.platforms.docker.engine import EngineError, NotThere, Unreachable
from discovery.platforms.docker.host import Host
from discovery.platforms.docker.lifetime import end_of, make, remove, run_of
from discovery.platforms.docker.mark import Mark
from discovery.platforms.docker.sighting import age
from discovery.platforms.environment import MissingReference, PodFacts, environment
from discovery.platforms.restarted import Restarted
from discovery.prober import ProbeTarget

LOOK_SECONDS = 0.5
REMEDY = "the program must listen on all addresses of its container"

log = logging.getLogger("weft.replica")


class DockerContainer(Restarted):
    """Use from the event loop's thread."""

    def __init__(
        self,
        host: Host,
        mark: Mark,
        pod: PodFacts,
        *,
        accept_ports: tuple[int, ...],
        changed: Callable[[], None],
        beside: DockerContainer | None,
        found: str = "",
    ) -> None:
        """`changed` is called whenever `ready` or `address` may differ; `beside`: whose network it shares.

        `found`: the id of the container, if there is one already.
        """
        grace = float(mark.template.spec.termination_grace_period_seconds)
        super().__init__(host, mark.spec, mark.replica, grace=grace)
        self.id = found
        self._host = host
        self._mark = mark
        self._pod = pod
        self._accept_ports = accept_ports
        self._changed = changed
        self._beside = beside
        self._probed = ""
        """The run that the prober knows, and the address."""
        self._begun_run = ""
        """The run whose postStart hook is done; one that is found running is taken to have had it, as by kubelet."""
        self._verdict_ready = False
        self._late: dict[tuple[str, ...], str] = {}
        """The last run of each probe's command, which may not have ended."""
        self._last_words = ""
        """The last that it wrote: for who asks, and kept out of weft's own log."""

    @property
    def ready(self) -> bool:
        known = self._host.conditions.get(self.id)
        return self._verdict_ready and known is not None and known.ready

    @property
    def serving(self) -> bool:
        known = self._host.conditions.get(self.id)
        return self._verdict_ready and known is not None and known.serving

    @property
    def running(self) -> bool:
        return self.id in self._host.conditions

    @property
    def address(self) -> str:
        """Empty while it is not known."""
        if self._beside is not None:
            return self._beside.address
        known = self._host.conditions.get(self.id)
        return known.sighting.addresses.get(self._mark.network, "") if known is not None else ""

    @property
    def run_of(self) -> str:
        """Which run of the program this is; empty while there is none."""
        known = self._host.conditions.get(self.id)
        return known.sighting.started if known is not None else ""

    async def run(self) -> None:
        """Keep it running until `stop`, then have nothing left of it."""
        try:
            while not self._retired:
                try:
                    why = await self._run_once()
                except MissingReference as error:
                    await self._reconfigured(f"CreateContainerConfigError: {error}")
                else:
                    if why:
                        await self._back_off(why)
            await self._until(lambda: self._stopping)
            await self._end(await self._hooked(self._probe_target()) if self.running else self._grace)
        finally:
            self._unprobed()

    async def execute(self, argv: tuple[str, ...], timeout: float) -> int:  # noqa: ASYNC109 - the prober's seam
        """Run a command in the container, and return its exit code; raises TimeoutError or OSError."""
        if not argv:
            raise OSError("the probe has no command")
        try:
            async with asyncio.timeout(timeout):
                if (late := self._late.get(argv, "")) and await self._host.engine.executes(late):
                    raise TimeoutError  # an engine ends no command: there would be one more each time
                return await self._host.engine.execute(self.id, argv, partial(self._late.__setitem__, argv))
        except EngineError as error:
            raise OSError(str(error)) from None

    # One run

    async def _run_once(self) -> str:
        """Have it run and see it end; why it ended, or could not start; empty: it is to be tried again at once.

        Raises MissingReference.
        """
        if (beside := self._beside) is not None:
            await self._until(lambda: self._retired or bool(beside.run_of))
            if self._retired:
                return "stopped"
        try:
            await self._start()
        except Unreachable as error:
            self._give_up(f"the engine is gone: {error}")
            await self._until(lambda: self._retired, asyncio.get_running_loop().time() + LOOK_SECONDS)
            return ""
        except EngineError as error:
            return str(error)
        self.message = self._given_up = self._last_words = ""
        self.last_end = await self._watch()
        self._unhealthy = ""
        self._unprobed()
        return self.last_end

    async def _start(self) -> None:
        """Have a container that runs: the one that was found, else a new one, as what ran has left its traces."""
        engine = self._host.engine
        found = await run_of(engine, self.id) if self.id else ""
        if not found:
            old, self.id = self.id, ""
            self.id = await make(engine, self._mark.name, self._body(), old, self._say)
            log.info("container started", extra={**self._names(), "id": self.id[:12]})
        elif self.pending:
            self._begun_run = found
        self.starts += 1

    def _body(self) -> dict[str, object]:
        own = ports_of(self.spec)
        beneath = self._host.variables(self._pod.namespace)
        variables = environment(self.spec, self._pod, self._host.config, beneath, own=own)
        beside = self._beside.id if self._beside is not None else ""
        driver = self._host.log_driver
        return body(self._mark, variables, hostname=self._pod.hostname, beside=beside, log_driver=driver)

    async def _watch(self) -> str:
        """Probe it for as long as it runs; why it ended."""
        loop = asyncio.get_running_loop()
        network = self._network_run
        while not (self._stopping or self._unhealthy):
            known = self._host.conditions.get(self.id)
            if known is None:
                await self._until(lambda: self._stopping or self.running, loop.time() + LOOK_SECONDS)
                if not self.running and (end := await self._look_for_end()):
                    return end
            elif self._network_run != network:
                self._unhealthy = "the container whose network it shares has ended"
            else:
                await self._use(network)
                await self._until(partial(self._moved, known, network))
        if self._unhealthy and not self._stopping:
            return await self._stop_unhealthy()
        return "stopped"

    async def _use(self, network: str) -> None:
        """Run its postStart hook, once in each run of it, and have it probed."""
        if not self.address:
            return
        run = self.run_of
        if run != self._begun_run:
            over = partial(self._over, run, network)
            if not await self._begun(self._probe_target(), over):
                return
            self._begun_run = run
        self._probe()

    def _over(self, run: str, network: str) -> bool:
        return self._stopping or self.run_of != run or self._network_run != network

    @property
    def _network_run(self) -> str:
        """Which run of another container its network is that of; empty: its network is its own."""
        return self._beside.run_of if self._beside is not None else ""

    def _moved(self, known: object, network: str) -> bool:
        gone = self._host.conditions.get(self.id) is not known or self._network_run != network
        return gone or self._stopping or bool(self._unhealthy)

    async def _look_for_end(self) -> str:
        """Why it does not run; empty: it does, or nobody can say."""
        try:
            why, self._last_words = await end_of(self._host.engine, self.id)
        except NotThere:
            self.id = ""
            return "it was removed"
        return why

    async def _stop_unhealthy(self) -> str:
        why, self._probed = self._unhealthy, ""
        self._unprobed()
        try:
            await self._host.engine.stop(self.id, await self._hooked(self._probe_target()))
        except EngineError as error:
            return f"{why}; {error}"
        return why

    async def _end(self, grace: float) -> None:
        """Stop and remove it, however long the engine is gone; `grace`: seconds from the stop signal to SIGKILL."""
        while True:
            try:
                await remove(self._host.engine, self.id or self._mark.name, grace)
            except EngineError as error:
                self.message = str(error)
                await asyncio.sleep(LOOK_SECONDS)
            else:
                return

    # Probes

    def _probe(self) -> None:
        """Have the prober know this run of it, at its address."""
        now = f"{self.run_of} {self.address}"
        if now != self._probed:
            self._probed = now
            self._host.prober.start(self._probe_target(), self._on_verdict)

    def _probe_target(self) -> ProbeTarget:
        ports: dict[str | int, int] = {port.name: port.container_port for port in self.spec.ports if port.name}
        since = age(self.run_of, self._host.wall_clock())
        return self._target(self.address, ports, self._accept_ports, remedy=REMEDY, age=since)

    def _unprobed(self) -> None:
        self._probed = ""
        self._host.prober.stop(self._mark.replica, self.spec.name)
        self._set_verdict(False)

    def _set_verdict(self, ready: bool) -> None:
        if ready != self._verdict_ready:
            self._verdict_ready = ready
            self._changed()

    def _with_words(self, why: str) -> str:
        return f"{why}; its log ends: {self._last_words}" if why and self._last_words else why

    def _say(self, message: str) -> None:
        super()._say(message)
        self._changed()
