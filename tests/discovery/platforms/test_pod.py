from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.resources.workloads import Container, PodMetadata, PodSpec, PodTemplate
from discovery.endpoint import Replica
from discovery.platforms.base import ContainerUsage
from discovery.platforms.pod import Pod
from tests.discovery.platforms.local import SHOP, Drains, make_node

LABELS = {"app": "shop"}


class Part:
    """A container that runs until it is to stop."""

    def __init__(self, name: str, said: list[str]) -> None:
        self.spec = Container(name=name)
        self.message, self.last_end = f"{name} says so", ""
        self.restarts, self.pending, self.running, self.ready = 2, False, True, False
        self._said = said
        self._end = asyncio.Event()

    async def run(self) -> None:
        await self._end.wait()

    def observe(self) -> None:
        """Nothing depends on it."""

    def retire(self) -> None:
        self._said.append(f"retire {self.spec.name}")

    def stop(self) -> None:
        self._said.append(f"stop {self.spec.name}")
        self._end.set()


class Fake(Pod[Part]):
    def __init__(self, folder: Path, drains: Drains, grace: int = 5) -> None:
        self.said: list[str] = []
        self.answers = True
        containers = tuple(Container(name=name) for name in "ab")
        spec = PodSpec(containers=containers, termination_grace_period_seconds=grace)
        template = PodTemplate(spec=spec, metadata=PodMetadata(labels=LABELS))
        super().__init__(
            make_node(folder, drained=drains), SHOP, "shop-1", template=template, labels=LABELS, created=7.0,
            changed=lambda: self.said.append("changed"),
        )  # fmt: skip
        self._containers = tuple(Part(name, self.said) for name in "ab")
        self.published = self._publish()

    def usage(self) -> tuple[ContainerUsage, ...]:
        return ()

    @property
    def _serving(self) -> bool:
        return self.answers

    def _logs(self) -> Iterator[str]:
        return iter(("here",))

    def _publish(self) -> Replica:
        return self._replica("10.0.0.1", (), zone="west")

    def tell(self, *, ready: bool) -> None:
        for part in self._containers:
            part.ready = ready
        self._follow()


async def test_the_order_of_its_end(tmp_path: Path) -> None:
    drains = Drains()
    drains.gate.clear()
    pod = Fake(tmp_path, drains)
    pod.tell(ready=True)
    running = asyncio.create_task(pod.run())
    await asyncio.sleep(0)
    pod.terminate()
    pod.terminate()
    assert (pod.published.ready, pod.published.serving, pod.published.terminating) == (False, True, True)
    while not drains.asked:
        await asyncio.sleep(0)
    assert pod.said == ["changed", "retire a", "retire b"]
    drains.gate.set()
    await running
    assert pod.said[3:] == ["stop a", "stop b"]


async def test_one_with_requests_in_flight_is_stopped_when_its_grace_is_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    drains = Drains()
    drains.gate.clear()
    pod = Fake(tmp_path, drains, grace=0)
    pod.terminate()
    await pod.run()
    assert pod.said[-2:] == ["stop a", "stop b"]
    assert "requests in flight" in caplog.text


async def test_what_differs_is_published(tmp_path: Path) -> None:
    pod = Fake(tmp_path, Drains())
    first = pod.published
    pod.tell(ready=False)
    assert (pod.published is first, pod.said, pod.since) == (True, [], 7.0)
    pod.tell(ready=True)
    assert (pod.published.ready, pod.said) == (True, ["changed"])
    assert pod.published.since == pod.since > 7.0
    assert (pod.published.zone, pod.published.labels) == ("west", LABELS)


async def test_its_status(tmp_path: Path) -> None:
    pod = Fake(tmp_path, Drains())
    status = pod.status()
    assert (status.id, status.started, status.restarts, status.logs) == ("shop-1", 7.0, 4, ("here",))
    assert (status.running, status.ready, status.pending) == (True, False, False)
    assert status.message == "a: a says so; b: b says so"
