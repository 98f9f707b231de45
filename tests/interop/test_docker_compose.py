"""deploy/compose.yaml, by Debian's docker-compose on a real engine: what it starts and scales is served by weft."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import yaml

from tests.interop import images
from tests.interop.engine import IMAGE, NEEDS_ENGINE, Engine
from tests.interop.hosts import written
from tests.interop.programs import needs
from tests.policy.source import ROOT
from tests.scenarios.weft import Network, ask, running, wait_for

DEPLOY = ROOT / "deploy"
DEMO = {"image": IMAGE, "command": [images.interpreter(), "-S", "/application.py"]}
"""In the place of an image that would have to be pulled."""

pytestmark = [NEEDS_ENGINE, needs("docker-compose"), pytest.mark.soak]


class Compose:
    def __init__(self, engine: Engine, folder: Path) -> None:
        other = folder / "other.yaml"
        other.write_text(json.dumps({"services": {"demo": DEMO}}))
        self._words = ["docker-compose", "--project-name", "deploy"]
        self._words += ["--file", str(DEPLOY / "compose.yaml"), "--file", str(other)]
        self._environment = {**os.environ, "DOCKER_HOST": engine.host}

    def __call__(self, *words: str) -> str:
        done = subprocess.run(
            [*self._words, *words], env=self._environment, capture_output=True, text=True, timeout=120, check=False
        )  # fmt: skip
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout


@pytest.fixture
def compose(engine: Engine, tmp_path: Path) -> Iterator[Compose]:
    compose = Compose(engine, tmp_path)
    yield compose
    compose("down", "--volumes")


def test_what_compose_starts_and_scales_is_served(engine: Engine, compose: Compose, tmp_path: Path) -> None:
    assert set(yaml.safe_load(compose("config"))["services"]) == {"weft", "demo", "prometheus"}
    _, service = yaml.safe_load_all((DEPLOY / "compose" / "weft.yaml").read_text())
    network = Network.random()
    folder = written(tmp_path / "manifests", engine, network, service, platforms=["docker"])
    with engine.inside(), running(folder, network) as weft:
        address = f"{network.node}:{service['spec']['ports'][0]['nodePort']}"
        for count in (3, 1):
            compose("up", "--detach", "--scale", f"demo={count}", "demo")
            wait_for(partial(all_answer, address, count), weft.told)


def all_answer(address: str, count: int) -> bool:
    """Whether so many are asked in turn."""
    try:
        return len({ask(address).json["replica"] for _ in range(12)}) == count
    except (OSError, ValueError):
        return False
