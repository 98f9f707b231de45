"""One weft for the programs of others: the scenarios' application, nginx and a WebSocket server stand behind it."""

from __future__ import annotations

import hashlib
import random
import shutil
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from tests.interop.engine import Engine, running_engine
from tests.interop.programs import free_ports, nginx
from tests.scenarios.manifests import deployment, endpoint_slice, service
from tests.scenarios.weft import Weft
from tests.scenarios.world import weft_up

LARGEST_MESSAGE = 8_000_000


class Site(NamedTuple):
    """A folder of files, and what is in them."""

    folder: Path
    large_sha256: str
    text: bytes


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A test that uses it leaves no containers."""
    with running_engine(tmp_path_factory.mktemp("engine")) as engine:
        yield engine


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("site")
    large = random.Random(1).randbytes(20_000_000)
    text = b"".join(b"line %d of a text that can be packed\n" % number for number in range(20_000))
    (folder / "large.bin").write_bytes(large)
    (folder / "text.txt").write_bytes(text)
    return Site(folder, hashlib.sha256(large).hexdigest(), text)


def echo(connection: ServerConnection) -> None:
    try:
        for message in connection:
            connection.send(message)
    except ConnectionClosed:
        return  # without a farewell


@contextmanager
def echoing_websockets() -> Iterator[int]:
    """The port of a WebSocket server that sends back what it gets."""
    with serve(echo, "127.0.0.1", 0, max_size=LARGEST_MESSAGE) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield int(server.socket.getsockname()[1])
        server.shutdown()
        thread.join()


@pytest.fixture(scope="package")
def weft(tmp_path_factory: pytest.TempPathFactory, site: Site) -> Iterator[Weft]:
    with ExitStack() as servers:
        lasting, short = free_ports(2)
        if shutil.which("nginx"):
            servers.enter_context(nginx(tmp_path_factory.mktemp("nginx"), site.folder, lasting, short))
        chat = servers.enter_context(echoing_websockets())
        behind = {"files": lasting, "short-files": short, "chat": chat}
        objects = [
            deployment("app", 2),
            service("app", {"http": 8080}, app="app", kind="NodePort"),
            *(service(name, {"http": 8080}) for name in behind),
            *(endpoint_slice(name, {"http": port}) for name, port in behind.items()),
        ]
        yield servers.enter_context(weft_up(tmp_path_factory.mktemp("interop"), *objects))
