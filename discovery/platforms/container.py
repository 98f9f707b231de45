"""One container of a local replica: a process that is started, probed, and started again when it ends.

`run` reads as the life of a container: start, wait until it ends or has to be ended, back off, start again;
until `stop`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
from collections.abc import Callable, Sequence

from config.resources.workloads import Container as ContainerSpec
from discovery.endpoint import ReplicaPort
from discovery.platforms.base import ContainerUsage
from discovery.platforms.commands import Command, own_python
from discovery.platforms.environment import MissingReference, PodFacts, environment, expand
from discovery.platforms.logs import last_line
from discovery.platforms.node import Node
from discovery.platforms.restarted import Restarted
from discovery.platforms.spawn import Process
from discovery.prober import ProbeTarget

log = logging.getLogger("weft.replica")


REMEDY = "the program must listen on HOST and PORT of its environment"


class CannotStart(Exception):
    """Why a container could not be started, in words for the user."""


class Misconfigured(CannotStart):
    """One that only another configuration can help."""


class Container(Restarted):
    """Runs one container.  Use from the event loop's thread."""

    def __init__(
        self,
        node: Node,
        pod: PodFacts,
        spec: ContainerSpec,
        command: Command,
        *,
        ports: Sequence[ReplicaPort],
        others: Sequence[ReplicaPort],
        accept_ports: tuple[int, ...],
        grace: float,
        changed: Callable[[], None],
    ) -> None:
        """`ports` are the container's, `others` those of its neighbours in the replica.

        `grace` is in seconds; `changed` is called whenever `ready` differs.
        """
        super().__init__(node, spec, pod.name, grace=grace)
        self.ready = False
        self.log_file = node.logs.path(pod.namespace, pod.name, spec.name)
        self._node = node
        self._pod = pod
        self._command = command
        self._ports = ports
        self._others = others
        self._accept_ports = accept_ports
        self._changed = changed
        self._process: Process | None = None
        self._environment: dict[str, str] = {}
        self._log_began = 0
        """Size of the log file when the process was started."""
        self._began = 0.0

    @property
    def running(self) -> bool:
        return self._process is not None

    def usage(self) -> ContainerUsage:
        used = self._node.descents.usage(self._process.pid) if self._process is not None else None
        resources = self.spec.resources
        return ContainerUsage(
            container=self.spec.name,
            cpu_seconds=used.cpu_seconds if used is not None else None,
            memory=used.memory if used is not None else None,
            requests={**resources.limits, **resources.requests},
        )

    async def run(self) -> None:
        """Keep the container running until `stop`; returns when nothing of it is left."""
        try:
            while not self._retired:
                try:
                    why = await self._run_once()
                except Misconfigured as error:
                    await self._reconfigured(str(error))
                else:
                    await self._back_off(why)
        finally:
            self._node.prober.stop(self._pod.name, self.spec.name)
            self._node.logs.release(self.log_file)
            if self._process:
                self._process.kill()
                await self._process.wait()

    async def execute(self, argv: tuple[str, ...], timeout: float) -> int:  # noqa: ASYNC109 - the prober's seam
        """Run a command as if in the container, and return its exit code; raises TimeoutError or OSError."""
        if not argv:
            raise OSError("the probe has no command")
        process = self._spawn(own_python(argv), subprocess.DEVNULL, self._forget)
        try:
            async with asyncio.timeout(timeout):
                return await process.wait()
        finally:
            process.kill()
            await process.wait()

    # One run of the process

    async def _run_once(self) -> str:
        """Start the process and see it end; returns why it ended, or why it could not start.

        Raises Misconfigured.
        """
        try:
            async with self._node.launching:
                if self._retired:
                    return "stopped"
                process = self._start()
                await asyncio.sleep(0)
        except Misconfigured:
            raise
        except CannotStart as error:
            return str(error)
        self.message = self._given_up = ""
        if await self._begun(self._probe_target(), lambda: self._stopping or not process.running):
            self._node.prober.start(self._probe_target(), self._on_verdict)
        await self._until(lambda: self._stopping or bool(self._unhealthy) or not process.running)
        why = self._unhealthy or "stopped"
        if process.running:
            if not self._stopping:
                self._unprobed()
            left = await self._hooked(self._probe_target())
            if process.running:
                await process.stop(left)
        else:
            why = _ending(await process.wait())
        self._unhealthy = ""
        self._process = None
        self._unprobed()
        self.last_end = why
        return why

    def _start(self) -> Process:
        node = self._node
        try:
            beneath = node.variables(self._pod.namespace)
            self._environment = environment(
                self.spec, self._pod, node.config, beneath, own=self._ports, others=self._others
            )
            argv = tuple(expand(word, self._environment) for word in self._command.argv)
            output = node.logs.open(self.log_file)
            self._log_began = os.fstat(output).st_size
            try:
                process = self._process = self._spawn(argv, output, self._on_end)
            finally:
                os.close(output)
        except MissingReference as error:
            raise Misconfigured(f"CreateContainerConfigError: {error}") from None
        except (OSError, ValueError) as error:
            raise CannotStart(_obstacle(error, self._command)) from None
        self.starts += 1
        self._began = node.clock()
        log.info("container started", extra={**self._names(), "pid": process.pid, "log": str(self.log_file)})
        return process

    def _spawn(self, argv: tuple[str, ...], output: int, ended: Callable[[Process], None]) -> Process:
        keeper = self._node.keeper
        variables = {**self._environment, **keeper.mark}
        process = Process(argv, folder=self._command.folder, environment=variables, output=output, ended=ended)
        keeper.add(process.pid)
        return process

    def _probe_target(self) -> ProbeTarget:
        ports: dict[str | int, int] = {}
        for port in reversed((*self._ports, *self._others)):  # of two with one name the container's own wins
            ports[port.container_port] = port.port
            if port.name:
                ports[port.name] = port.port
        return self._target(
            self._pod.address, ports, self._accept_ports, remedy=REMEDY, age=self._node.clock() - self._began
        )

    # What happens to it

    def _on_end(self, process: Process) -> None:
        self._forget(process)
        self._wake.set()

    def _forget(self, process: Process) -> None:
        self._node.keeper.remove(process.pid)

    def _unprobed(self) -> None:
        self._node.prober.stop(self._pod.name, self.spec.name)
        self._set_verdict(False)

    def _set_verdict(self, ready: bool) -> None:
        if ready != self.ready:
            self.ready = ready
            self._changed()

    def _with_words(self, why: str) -> str:
        words = last_line(self.log_file, self._log_began) if why and self.starts else ""
        return f"{why}; its log ends: {words}" if words else why


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    names = {number.value: number.name for number in signal.Signals}
    return f"ended by {names.get(-code, f'signal {-code}')}"


def _obstacle(error: OSError | ValueError, command: Command) -> str:
    """What the user can do something about, in one line."""
    program = command.argv[0]
    match error:
        case FileNotFoundError() if error.filename == command.folder:
            return f"working folder {command.folder} does not exist"
        case FileNotFoundError():
            return f"command {program!r} not found (in {command.folder} and PATH)"
        case PermissionError():
            return f"{error.filename} may not be executed or entered"
        case OSError():
            return f"{program!r} cannot be started: {error.strerror}"
        case _:
            return "command or environment has a NUL byte"
