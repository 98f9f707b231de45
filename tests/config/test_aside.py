"""Loading in a helper: the same answer, a loop that keeps running, and helpers that fail."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from config import aside
from config.aside import load_aside
from config.configset import ConfigSet
from config.loader import load

EXPORTED = Path(__file__).parent / "exported"
NODE = """\
apiVersion: weft.dev/v1
kind: NodeConfig
metadata: {name: laptop}
spec: {images: {'shop:*': [python3, -m, shop]}}
---
apiVersion: weft.dev/v1
kind: TrafficPolicy
metadata: {name: web}
spec:
  targetRef: {kind: Service, name: web}
  timeouts: {idle: 1m30s}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: web}]}
"""


@pytest.fixture
def manifests(tmp_path: Path) -> list[Path]:
    (tmp_path / "node.yaml").write_text(NODE)
    return [EXPORTED / "deployment.yaml", tmp_path, EXPORTED / "endpoints.yaml", tmp_path / "missing"]


async def test_the_answer_is_that_of_the_loader(manifests: list[Path]) -> None:
    assert await load_aside(manifests) == load(manifests)


async def test_equal_objects_are_the_previous_ones(manifests: list[Path]) -> None:
    first = (await load_aside(manifests)).config_set
    manifests[1].joinpath("node.yaml").write_text(NODE.replace("port: 80", "port: 81"))
    second = (await load_aside(manifests, previous=first)).config_set
    changed = [key.name for key in second.sources if second.get(key) is not first.get(key) and key.kind != "NodeConfig"]
    assert changed == ["web"]
    assert second.node is first.node
    assert second.deployments is first.deployments


async def test_relative_paths_and_odd_names(manifests: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = manifests[1]
    (folder / "-c").write_text(NODE)
    monkeypatch.chdir(folder)
    # A package of the same name where weft is started, or in the environment, must not be taken for ours.
    (folder / "config").mkdir()
    (folder / "config" / "__init__.py").write_text("raise SystemExit(3)")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    loaded = await load_aside([Path("-c")])
    assert len(loaded.config_set.services) == 1


async def test_the_loop_runs_on(tmp_path: Path) -> None:
    text = "".join(NODE.rpartition("---\n")[2].replace("name: web", f"name: w{i}") + "---\n" for i in range(500))
    (tmp_path / "a.yaml").write_text(text)
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            before = time.thread_time()
            await asyncio.sleep(0.001)
            longest = max(longest, time.thread_time() - before)

    async with asyncio.TaskGroup() as group:
        watching = group.create_task(watch())
        loaded = await load_aside([tmp_path])
        watching.cancel()
    assert len(loaded.config_set.services) == 500
    assert longest < 0.02


FAILURES = [
    ("killed", "import os; os.kill(os.getpid(), 9)", "ended before it was done"),
    ("silent", "pass", "ended before it was done"),
    ("garbage", "print('x' * 1000)", "sent something that is too large"),
    ("no kind", r"import sys; sys.stdout.buffer.write(b'\xc8\0\0\0\1\xc0')", "sent something that is no object"),
    ("no object", r"import sys; sys.stdout.buffer.write(b'\0\0\0\0\1\xc0')", "sent something that is no object"),
    ("cut midway", r"import sys; sys.stdout.buffer.write(b'\0\0\0\1\0abc')", "ended before it was done"),
    ("crash", "from config.frames import main; main(object())", "failed: TypeError"),
    ("hangs", "import time; time.sleep(60)", "took longer than 1 s"),
]


@pytest.mark.parametrize(("code", "words"), [row[1:] for row in FAILURES], ids=[row[0] for row in FAILURES])
async def test_a_helper_that_fails_is_one_fault(code: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aside, "_BOOTSTRAP", f"import sys; sys.path.insert(0, sys.argv.pop(1)); {code}")
    loaded = await load_aside([Path("a.yaml")], deadline=1.0 if "sleep" in code else 30.0)
    assert loaded.config_set == ConfigSet()
    (fault,) = loaded.faults
    assert fault.severity == "error"
    assert fault.source.file == "a.yaml"
    assert fault.message.startswith("manifests could not be read: the reader ")
    assert words in fault.message


async def test_a_cancelled_load_leaves_no_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    code = f"import os, time; open({str(noted)!r}, 'w').write(f'{{os.getpid()}} {{os.getpgrp()}} .'); time.sleep(60)"
    monkeypatch.setattr(aside, "_BOOTSTRAP", code)
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        loading = group.create_task(load_aside([Path("a.yaml")]))
        while not (noted.exists() and noted.read_text().endswith(".")):
            await asyncio.sleep(0.01)
        loading.cancel()
    helper, group_of_it, _ = noted.read_text().split()
    with pytest.raises(ProcessLookupError):
        os.kill(int(helper), 0)
    assert int(group_of_it) != os.getpgrp(), "Ctrl-C would reach it"


def test_the_parent_imports_no_parser() -> None:
    code = "import sys, config.aside; print(sorted({'yaml', 'config.vocabulary', 'config.loader'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
