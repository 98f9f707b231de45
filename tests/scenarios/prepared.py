"""Processes that need not import weft first, as they are forks of one that has: that is most of what a start takes.

All else is as in ``python -m sidecar``: the command line, a session of its own, the network namespace of the thread
that starts it, output, signals, the exit code.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from multiprocessing import connection, get_context, reduction
from pathlib import Path
from threading import Lock
from typing import Any

from tests.policy.source import ROOT
from tests.scenarios import reading

IMPORTED = (
    *(f"sidecar.commands.{name}" for name in ("up", "registry", "node", "sidecar", "status", "rollout", "autoscale")),
    *(f"sidecar.commands.{name}" for name in ("token", "apply", "delete", "get", "diff", "explain")),
    *(f"sidecar.{part}" for part in ("lifecycle", "logs", "up", "serving", "admin", "registry_assembly")),
    *("sidecar.sidecar_assembly", "sidecar.follower", "sidecar.channel.ends", "sidecar.channel.received"),
    *("discovery.metrics", "uvloop"),
)
READERS = ("sidecar.rereading", "sidecar.reader", "config.vocabulary", "sidecar.channel.judge")
HIGHEST_INHERITED = 1024
"""Descriptor of the process that is forked; what replicas inherit of it would hold it open."""
CLONE_NEWNET = 0x40000000
_PROCESSES = get_context("forkserver")
_PROCESSES.set_forkserver_preload([__name__, *IMPORTED])


class Prepared:
    """A running weft, with what is used of `subprocess.Popen`."""

    def __init__(self, words: Sequence[str], environ: Mapping[str, str], out: Path, err: Path) -> None:
        with open("/proc/thread-self/ns/net") as space:
            arguments = (_Given(space.fileno()), readers(), tuple(words), dict(environ), str(out), str(err))
            self._process = _PROCESSES.Process(target=_main, args=arguments)
            self._process.start()
        self._asking = Lock()
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    def poll(self) -> int | None:
        with self._asking:
            return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, negative if a signal ended it."""
        connection.wait([self._process.sentinel], timeout)
        if (code := self.poll()) is None:
            raise subprocess.TimeoutExpired(str(self._process), timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class _Given:
    """A descriptor that is given to a process with its arguments, where it is a number."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __reduce__(self) -> Any:
        return _number, (reduction.DupFd(self._descriptor),)


def _number(given: Any) -> int:
    return int(given.detach())


@cache
def readers() -> str:
    """Where the process is asked whose forks are the readers of manifests; it ends with the tests."""
    folder = tempfile.mkdtemp(prefix="weft-tests-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    address = f"{folder}/readers"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(address)
        listening.listen(100)
        _PROCESSES.Process(target=reading.serve, args=(listening, READERS), daemon=True).start()
    return address


def _main(space: int, address: str, words: Sequence[str], environ: Mapping[str, str], out: str, err: str) -> None:
    os.setsid()
    _enter(space)
    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(environ)
    for number, path in enumerate((os.devnull, out, err)):
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number)
    os.closerange(3, HIGHEST_INHERITED)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)

    from config import aside
    from sidecar.cli import main

    aside._start = reading.started(address)  # type: ignore[assignment]
    sys.exit(main(words))


def _enter(space: int) -> None:
    """Be in this network namespace, if it is another: that needs root."""
    if os.fstat(space).st_ino == os.stat("/proc/self/ns/net").st_ino:
        return
    import ctypes

    if ctypes.CDLL(None, use_errno=True).setns(space, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
