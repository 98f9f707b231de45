from __future__ import annotations

from random import Random
from typing import Any

import msgspec
import pytest

from config.meta import Named
from config.resources.workloads import Deployment, EnvVar
from discovery.workloads.deployments import Deployments
from sidecar.documents import Document, Query, Refused
from sidecar.families import Reloads
from sidecar.redaction import hidden
from sidecar.rollouts import PATH, Rollouts, rollouts_of
from tests.discovery.platforms.local import config
from tests.discovery.workloads.runners import FakeRevision, FakeRunner, shop

SHOP = {"namespace": ["default"], "name": ["shop"]}


def secret(replicas: int, word: str) -> Deployment:
    made = shop(replicas, args=(word,))
    pod = made.spec.template.spec
    container = msgspec.structs.replace(pod.containers[0], env=(EnvVar("PASSWORD", "swordfish"),))
    spec = msgspec.structs.replace(pod, containers=(container,))
    template = msgspec.structs.replace(made.spec.template, spec=spec)
    return msgspec.structs.replace(made, spec=msgspec.structs.replace(made.spec, template=template))


class Bench:
    def __init__(self) -> None:
        self.runner = FakeRunner()
        self.platform: Deployments[FakeRevision] = Deployments(self.runner, Random(7))
        self.reloads = Reloads()
        self.subject = Rollouts(self.platform, hidden, self.reloads)

    async def roll(self, *words: str) -> None:
        for word in words:
            await self.platform.apply(config(secret(2, word)))
            self.runner.settle()

    async def post(self, action: str, **more: str) -> Document:
        query: Query = {**SHOP, "action": [action], **{key.replace("_", "-"): [value] for key, value in more.items()}}
        _, document = await self.subject.write("POST", query, b"")
        self.runner.settle()
        return document

    @property
    def told(self) -> dict[str, Any]:
        _, document = self.subject.document()
        (found,) = document["rollouts"]  # type: ignore[misc, attr-defined]
        return dict(found)

    def revisions(self) -> list[int]:
        _, document = self.subject.history(SHOP)
        return [each["revision"] for each in document["revisions"]]  # type: ignore[attr-defined]


@pytest.fixture
async def bench() -> Bench:
    return Bench()


async def test_what_is_told_of_a_rollout(bench: Bench) -> None:
    await bench.roll("a")
    told = bench.told
    numbers = {key: told[key] for key in ("revision", "replicas", "existing", "updated", "available", "unavailable")}
    assert numbers == {"revision": 1, "replicas": 2, "existing": 2, "updated": 2, "available": 2, "unavailable": 0}
    assert [(each["type"], each["status"], each["reason"]) for each in told["conditions"]] == [
        ("Available", "True", "MinimumReplicasAvailable"),
        ("Progressing", "True", "NewReplicaSetAvailable"),
    ]


async def test_looks_at_the_manifests_are_counted(bench: Bench) -> None:
    before = bench.subject.document()[1]["looks"]
    bench.reloads.looked()
    assert (before, bench.subject.document()[1]["looks"]) == (0, 1)


async def test_undo_and_restart(bench: Bench) -> None:
    await bench.roll("a", "b")
    assert (await bench.post("undo"))["done"] == "rolled back"
    assert bench.revisions() == [2, 3]
    assert (await bench.post("undo", to_revision="3"))["done"] == (
        "skipped rollback (current template already matches revision 3)"
    )
    assert (await bench.post("restart"))["done"] == "restarted"
    assert bench.told["revision"] == 4
    assert bench.told["updated"] == 2


async def test_pause_and_resume(bench: Bench) -> None:
    await bench.roll("a")
    assert (await bench.post("pause"))["done"] == "paused"
    await bench.roll("b")
    assert (bench.told["revision"], bench.told["paused"]) == (1, True)
    assert (await bench.post("resume"))["done"] == "resumed"
    assert (bench.told["revision"], bench.told["paused"]) == (2, False)


async def test_an_undo_is_told_until_the_manifest_has_another_template(bench: Bench) -> None:
    def departs() -> tuple[object, object]:
        return bench.told["departs"], bench.subject.history(SHOP)[1]["departs"]

    await bench.roll("a")
    await bench.roll("b")
    assert departs() == (False, False)
    await bench.post("undo")
    assert departs() == (True, True)
    await bench.roll("c")
    assert departs() == (False, False)


async def test_a_template_without_its_secrets(bench: Bench) -> None:
    await bench.roll("a")
    _, document = bench.subject.history({**SHOP, "revision": ["1"]})
    assert "swordfish" not in str(document)
    assert document["template"]["spec"]["containers"][0]["args"] == ["a"]  # type: ignore[index]


REFUSED: dict[str, tuple[str, Query, int, str]] = {
    "another method": ("DELETE", {**SHOP, "action": ["undo"]}, 405, "takes POST"),
    "no action": ("POST", SHOP, 400, "action is one of undo, restart, pause, resume"),
    "an unknown one": ("POST", {**SHOP, "action": ["dance"]}, 400, "action is one of"),
    "nobody": ("POST", {"action": ["undo"], "namespace": ["default"], "name": ["x"]}, 404, "no Deployment default/x"),
    "nothing to undo": ("POST", {**SHOP, "action": ["undo"]}, 409, "there is no earlier revision"),
    "an unknown revision": ("POST", {**SHOP, "action": ["undo"], "to-revision": ["7"]}, 409, "no revision 7"),
    "no number": ("POST", {**SHOP, "action": ["undo"], "to-revision": ["+1"]}, 400, "the number of a revision"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_refused(bench: Bench, name: str) -> None:
    method, query, status, words = REFUSED[name]
    await bench.roll("a")
    with pytest.raises(Refused, match=words) as raised:
        await bench.subject.write(method, query, b"")
    assert raised.value.status == status


async def test_history_of_nothing(bench: Bench) -> None:
    await bench.roll("a")
    with pytest.raises(Refused, match="unable to find the specified revision: 9"):
        bench.subject.history({**SHOP, "revision": ["9"]})
    with pytest.raises(Refused, match="no Deployment"):
        bench.subject.history({})


async def test_paths_and_metrics(bench: Bench) -> None:
    await bench.roll("a")
    assert list(bench.subject.answers()) == list(bench.subject.writes()) == [PATH]
    assert list(bench.subject.questions()) == [f"{PATH}/history"]
    assert "weft_deployment_status_replicas_available" in {family.name for family in bench.subject.families()}
    assert bench.platform.rollout(Named("default", "shop")).desired == 2


def test_where_no_deployment_can_run_nothing_is_said() -> None:
    subject = rollouts_of(object(), hidden, Reloads())
    assert (subject.answers(), subject.questions(), subject.writes(), list(subject.families())) == ({}, {}, {}, [])
