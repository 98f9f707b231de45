"""A real ``weft up``, or another role, as a process of its own, on addresses that no other test uses."""

from __future__ import annotations

import http.client
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from tests.policy.source import ROOT
from tests.scenarios.prepared import Prepared

SOAK = os.environ.get("WEFT_SOAK") == "1"
PATIENCE = 30.0
PAYMENT = ROOT / "examples" / "payment"


class Answer(NamedTuple):
    status: int
    fields: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Network(NamedTuple):
    """Ranges of the loopback network that are this test's own, so that runs beside each other do not collide."""

    prefix: str

    @classmethod
    def random(cls) -> Network:
        """One at whose admin address nobody is: of hundreds of starts, two would now and then be given the same."""
        chance = random.SystemRandom()
        while True:
            network = cls(f"127.{chance.randint(100, 250)}.{chance.randint(1, 250)}")
            host, _, port = network.admin.rpartition(":")
            with socket.socket() as sock, suppress(OSError):
                sock.bind((host, int(port)))
                return network

    @property
    def admin(self) -> str:
        return f"{self.prefix}.254:9901"

    @property
    def node(self) -> str:
        return f"{self.prefix}.253"

    @property
    def dns(self) -> str:
        return f"{self.prefix}.252:1053"

    @property
    def pods(self) -> str:
        first, second, third = self.prefix.split(".")
        return f"{first}.{int(second) - 80}.{third}.0/24"

    def node_config(self, images: dict[str, list[str]], **more: object) -> dict[str, Any]:
        return {
            "apiVersion": "weft.dev/v1",
            "kind": "NodeConfig",
            "metadata": {"name": "test"},
            "spec": {
                "admin": self.admin,
                "serviceRange": {"cidr": f"{self.prefix}.0/25"},
                "podCIDR": self.pods,
                "nodeAddresses": [self.node],
                "dns": self.dns,
                "ingress": {"http": f"{self.node}:8080", "https": f"{self.node}:8443"},
                "images": images,
                **more,
            },
        }


class Weft:
    """A running ``weft up``, or another role."""

    def __init__(
        self, folder: Path, network: Network, *options: str, loop: str = "", role: str = "up", fresh: bool = SOAK
    ) -> None:
        """`fresh`: an interpreter of its own, as users start it."""
        self.network = network
        self.state = folder.parent / f"{folder.name}-state"
        self.out = folder.parent / f"{folder.name}.out"
        self.err = folder.parent / f"{folder.name}.err"
        environ = {**os.environ, "WEFT_LOOP": loop}
        words = [role, str(folder), "--state", str(self.state), *options]
        self.out.write_bytes(b"")
        self.err.write_bytes(b"")
        self.process = (_fresh if fresh else Prepared)(words, environ, self.out, self.err)

    def wait_ready(self) -> None:
        wait_for(lambda: "ready in" in self.out.read_text() or self.process.poll() is not None, self.told)
        assert self.process.poll() is None, self.told()

    def told(self) -> str:
        return f"{self.out.read_text()}\n{self.err.read_text()}"

    def admin(self, path: str, method: str = "GET", **fields: str) -> Answer:
        return ask(self.network.admin, path, method, **fields)

    def address(self, service: str, which: int = 0) -> str:
        """Where a Service's first port is really served."""
        services = self.admin("/api/v1/services").json["services"]
        found = next(each for each in services if each["name"] == service)
        return str(found["ports"][0]["listens"][which])

    def replicas(self) -> list[int]:
        """Process ids of the replicas, as the log of their start names them."""
        return [int(pid) for pid in re.findall(r"container started .*\bpid=(\d+)", self.err.read_text())]

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


def _fresh(words: Sequence[str], environ: Mapping[str, str], out: Path, err: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "sidecar", *words]
    with out.open("wb") as output, err.open("wb") as errors:
        return subprocess.Popen(command, cwd=ROOT, env=environ, stdout=output, stderr=errors, start_new_session=True)


def run_weft(
    *words: str, code: int | None = None, fresh: bool = SOAK, meanwhile: Callable[[Path], None] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run another command of weft to its end, which has to be with this `code`.

    `meanwhile` is given the file of what it prints, and may wait for that.
    """
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        process = (_fresh if fresh else Prepared)(words, os.environ, out, err)
        try:
            if meanwhile is not None:
                meanwhile(out)
            done = subprocess.CompletedProcess(words, process.wait(2 * PATIENCE), out.read_text(), err.read_text())
        finally:
            process.kill()
    assert code in (None, done.returncode), (done.stdout, done.stderr)
    return done


@contextmanager
def running(
    folder: Path, network: Network, *options: str, loop: str = "", role: str = "up", fresh: bool = SOAK
) -> Iterator[Weft]:
    """A weft that is ready; it is ended, and with it all that it started, when the test is over."""
    weft = Weft(folder, network, *options, loop=loop, role=role, fresh=fresh)
    try:
        weft.wait_ready()
        yield weft
    finally:
        weft.process.kill()
        weft.process.wait()


def payment(folder: Path, network: Network, **node: object) -> Path:
    """The payment example's manifests in `folder`, with a NodeConfig for `network`."""
    folder.mkdir()
    for name in ("deployment.yaml", "service.yaml"):
        (folder / name).write_text((PAYMENT / name).read_text())
    images = {"my-payment-app:v2": [sys.executable, "-S", str(PAYMENT / "payment" / "app.py")]}
    (folder / "node.json").write_text(json.dumps(network.node_config(images, **node)))
    return folder


def ask(address: str, path: str = "/", method: str = "GET", **fields: str) -> Answer:
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE)
    try:
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in fields.items()})
        response = connection.getresponse()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    finally:
        connection.close()


def wait_for(condition: Callable[[], Any], explain: Callable[[], str] = str, seconds: float = PATIENCE) -> Any:
    """What `condition` gives once it is true."""
    began = time.monotonic()
    while True:
        if found := condition():
            return found
        waited = time.monotonic() - began
        assert waited < seconds, explain()
        time.sleep(pause(waited))


def pause(waited: float) -> float:
    """Seconds until a condition is looked at again: often what is asked costs more than what is waited for."""
    return 0.01 if SOAK else min(max(waited / 10, 0.01), 0.15)


def alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
