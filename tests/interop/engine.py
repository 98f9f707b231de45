"""A Docker Engine of the tests' own: dockerd in a network namespace, with its data, socket and images in one folder.

One for all modules, since it takes seconds: the fixture `engine` of the folder::

    @NEEDS_ENGINE
    def test_containers(engine):
        with engine.inside():                        # this thread, and what it starts, in the engine's namespace
            name = engine.run("--label", "weft.dev/service=web")   # tests/scenarios/application.py on 8080 and 9090
            assert ask(f"{engine.address(name)}:8080", "/").status == 200
        engine.docker("kill", name)                  # any command of the client; its output
        engine.clear()                               # no container is left

It is a swarm within `as_swarm`; else containers outlive the engine (``live-restore``), which `kill` and `start` take
away and bring back.  Weft is told the socket by ``engine.host`` (as in DOCKER_HOST).
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.interop import images
from tests.scenarios.manifests import APPLICATION, PORTS
from tests.scenarios.weft import alive, wait_for

IMAGE = "weft-test/application"
"""Python with tests/scenarios/application.py; busybox's shell and a few commands are there too."""
BUSYBOX = "weft-test/busybox"
BRIDGE = "172.17.0.0/16"
"""Docker's own default for ``docker0``: every engine has it in its own namespace."""
_CLONE_NEWNET = 0x40000000
_CLIENT = "/usr/bin/docker" if Path("/usr/bin/docker").exists() else "docker"


def _lack() -> str:
    if os.geteuid():
        return "a Docker Engine needs root"
    missing = [program for program in ("dockerd", _CLIENT, "ip", "iptables", "ldd") if shutil.which(program) is None]
    if not images.BUSYBOX.exists():
        missing.append(str(images.BUSYBOX))
    return f"not installed: {', '.join(missing)}" if missing else ""


NEEDS_ENGINE = pytest.mark.skipif(bool(_lack()), reason=_lack() or "there is one")


class Engine:
    """One dockerd; `start` before anything else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "docker.sock"
        self.host = f"unix://{self.socket}"
        self.space = f"weft{random.SystemRandom().randrange(16**6):06x}"
        """Its network namespace."""
        self._swarm = False
        self._driver = "overlay2" if _overlays(folder) else "vfs"
        self._daemon: subprocess.Popen[bytes] | None = None
        self._libc = ctypes.CDLL(None, use_errno=True)
        subprocess.run(["ip", "netns", "add", self.space], check=True)
        subprocess.run(["ip", "-n", self.space, "link", "set", "lo", "up"], check=True)

    def start(self) -> None:
        """Start dockerd and wait until it answers; what ran goes on running, unless this is a swarm."""
        mode = [] if self._swarm else ["--live-restore"]
        with (self.folder / "dockerd.log").open("ab") as log:
            self._daemon = subprocess.Popen(
                [
                    "nsenter", f"--net=/run/netns/{self.space}", "dockerd", "--data-root", str(self.folder / "data"),
                    "--exec-root", str(self.folder / "run"), "--pidfile", str(self.folder / "pid"), "-H", self.host,
                    "--storage-driver", self._driver, "--group", str(os.getgid()), *mode,
                ],
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        wait_for(self._answers, self.told)

    def stop(self) -> None:
        """End dockerd as a system does."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End dockerd and its containerd as a crash does; containers run on without them."""
        self._end(signal.SIGKILL)
        beneath = self.folder / "run" / "containerd" / "containerd.pid"
        pid = int(beneath.read_text())
        _kill(pid)
        wait_for(lambda: not alive(pid))
        beneath.unlink()  # dockerd takes a process that nobody has waited for yet for a living one

    def close(self) -> None:
        """Take away everything that was started and made."""
        if self._daemon is not None:
            with suppress(AssertionError, subprocess.SubprocessError):
                self.clear()
            self.stop()
        for pid in _mentioning(f"{self.folder}/"):  # what a test that failed has left
            _kill(pid)
        mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
        for mount in reversed([mount for mount in mounts if mount.startswith(f"{self.folder}/")]):
            subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)
        subprocess.run(["ip", "netns", "del", self.space], check=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def told(self) -> str:
        """The end of its log."""
        return (self.folder / "dockerd.log").read_text()[-4000:]

    @contextmanager
    def as_swarm(self, *words: str) -> Iterator[None]:
        """Have it be a swarm of its own, or join one; it starts anew before and after, without containers.

        `words`: of ``docker swarm``.
        """
        self._start_as(swarm=True)
        self.docker("swarm", *(words or ("init", "--advertise-addr", "127.0.0.1")))
        try:
            yield
        finally:
            self.clear()
            self.docker("swarm", "leave", "--force")
            self._swarm = False
            self._start_as(swarm=False)

    # What runs in it

    def docker(self, *words: str) -> str:
        """Run the client and return what it printed, without the last newline; it must end well."""
        done = subprocess.run(
            [_CLIENT, "-H", self.host, *words], capture_output=True, text=True, timeout=120, check=False,
            env={**os.environ, "DOCKER_API_VERSION": "1.41", "DOCKER_CONFIG": str(self.folder)},
        )  # fmt: skip
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout.rstrip("\n")

    def run(self, *options: str, image: str = IMAGE, command: tuple[str, ...] = ()) -> str:
        """Start a container in the background; its id.  The application answers on 8080 at once or a little later."""
        return self.docker("run", "--detach", *options, image, *command)

    def inspect(self, name: str) -> Any:
        """What the engine knows of a container, network, service, ..."""
        return json.loads(self.docker("inspect", name))[0]

    def address(self, name: str, network: str = "bridge") -> str:
        """Of a container, in one of its networks."""
        return str(self.inspect(name)["NetworkSettings"]["Networks"][network]["IPAddress"])

    def clear(self) -> None:
        """Remove all services and containers, whether or not they run."""
        manages = self._swarm and self.docker("info", "--format", "{{.Swarm.ControlAvailable}}") == "true"
        if manages and (services := self.docker("service", "ls", "--quiet").split()):
            self.docker("service", "rm", *services)
        if containers := self.docker("ps", "--all", "--quiet").split():
            self._remove(containers)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Have this thread, and the processes that it starts meanwhile, be in the engine's namespace."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        space = os.open(f"/run/netns/{self.space}", os.O_RDONLY)
        try:
            self._enter(space)
            yield
        finally:
            self._enter(home)
            os.close(space)
            os.close(home)

    def import_images(self) -> None:
        """Make `BUSYBOX` and `IMAGE`."""
        small = images.busybox(self.folder / "busybox.tar")
        self.docker("import", str(small), BUSYBOX)
        whole = images.python(self.folder / "python.tar", {"/application.py": APPLICATION.read_text()})
        program = json.dumps([images.interpreter(), "-S", "/application.py"])
        variables = {"HOST": "0.0.0.0", **{f"PORT_{name.upper()}": str(port) for name, port in PORTS.items()}}
        changes = [f"ENV {name}={value}" for name, value in variables.items()]
        changes += [f"CMD {program}", *(f"EXPOSE {port}" for port in PORTS.values())]
        self.docker("import", *(word for change in changes for word in ("--change", change)), str(whole), IMAGE)
        for tar in (small, whole):
            tar.unlink()

    def _start_as(self, *, swarm: bool) -> None:
        self.stop()
        self._swarm = swarm
        self.start()

    def _remove(self, containers: list[str]) -> None:
        """Swarm takes some away by itself meanwhile."""
        with suppress(AssertionError):
            self.docker("rm", "--force", "--volumes", *containers)
        left = set(self.docker("ps", "--all", "--quiet").split()) & set(containers)
        assert not left

    def _answers(self) -> bool:
        assert self._daemon is not None
        assert self._daemon.poll() is None, self.told()
        with suppress(OSError), socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(1)
            asking.connect(str(self.socket))
            asking.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")  # the client would take more time than the engine's start
            return b" 200 " in asking.recv(100)
        return False

    def _end(self, number: signal.Signals) -> None:
        assert self._daemon is not None
        self._daemon.send_signal(number)
        try:
            self._daemon.wait(30)
        except subprocess.TimeoutExpired:
            self._daemon.kill()
            self._daemon.wait()
        self._daemon = None

    def _enter(self, space: int) -> None:
        if self._libc.setns(space, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")


def _overlays(folder: Path) -> bool:
    """Whether layers can lie over each other there; else each container has a copy of all files."""
    lower, upper, work, merged = (folder / name for name in ("lower", "upper", "work", "merged"))
    for each in (lower, upper, work, merged):
        each.mkdir()
    layers = f"lowerdir={lower},upperdir={upper},workdir={work}"
    words = ["mount", "-t", "overlay", "overlay", "-o", layers, str(merged)]
    mounted = subprocess.run(words, check=False, capture_output=True)
    if mounted.returncode == 0:
        subprocess.run(["umount", str(merged)], check=True)
    return mounted.returncode == 0


def _mentioning(text: str) -> list[int]:
    """Processes on whose command line it is, and their children."""
    found: list[int] = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if text in (process / "cmdline").read_text():
                children = (process / "task" / process.name / "children").read_text()
                found += [int(process.name), *map(int, children.split())]
    return found


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


@contextmanager
def running_engine(folder: Path) -> Iterator[Engine]:
    """An engine with both images; nothing of it is left afterwards."""
    engine = Engine(folder)
    try:
        engine.start()
        engine.import_images()
        yield engine
    finally:
        engine.close()
