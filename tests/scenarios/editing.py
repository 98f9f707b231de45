"""Manifests that are edited while they are served: one file per subject, each replaced as a whole."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.scenarios.manifests import IMAGES
from tests.scenarios.weft import Network, Weft, running, wait_for


class Folder:
    """A folder of manifests for a weft of its own."""

    def __init__(self, path: Path, **node: object) -> None:
        self.path = path
        self.network = Network.random()
        path.mkdir()
        self.node(**node)

    def node(self, **more: object) -> None:
        """Write the NodeConfig."""
        self.put("node", self.network.node_config(IMAGES, **more))

    def put(self, name: str, *objects: Mapping[str, Any]) -> None:
        """Write the objects of one subject, as a good editor does."""
        self.put_text(name, json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def put_text(self, name: str, text: str) -> None:
        aside = self.path / f".{name}"
        aside.write_text(text)
        aside.replace(self.path / f"{name}.json")

    def drop(self, name: str) -> None:
        (self.path / f"{name}.json").unlink()


@contextmanager
def serving_of(folder: Folder) -> Iterator[Weft]:
    """A ``weft up`` of `folder`, which must not leave a stack trace."""
    with running(folder.path, folder.network) as weft:
        yield weft
    assert "Traceback" not in weft.told(), weft.told()[:10_000]


def reads(weft: Weft) -> int:
    """How often the manifests were read."""
    page = weft.admin("/metrics").body.decode()
    lines = [line for line in page.splitlines() if line.startswith("weft_config_reloads_total")]
    return sum(int(float(line.split()[-1])) for line in lines)


def ports(weft: Weft, service: str) -> dict[str, str]:
    """By the ports of a Service: where it is served; nothing for a Service that is not there."""
    services = weft.admin("/api/v1/services").json["services"]
    found = [each["ports"] for each in services if each["name"] == service]
    return {port["name"]: port["listens"][0] for each in found for port in each if port["listens"]}


def wait_reload(weft: Weft, before: int) -> None:
    """Until the manifests were read more than `before` times."""
    wait_for(lambda: reads(weft) > before, weft.told)


def memory(weft: Weft) -> int:
    """Resident memory of the process, in bytes."""
    status = Path(f"/proc/{weft.process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) * 1024


def descriptors(weft: Weft) -> int:
    """Open files of the process."""
    return len(list(Path(f"/proc/{weft.process.pid}/fd").iterdir()))
