"""Scale to zero: a Service without replicas holds what comes, wakes its Deployment, and goes to sleep again."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SOAK
from tests.scenarios.editing import Folder, ports, reads, serving_of, wait_reload
from tests.scenarios.manifests import APPLICATION, deployment, service
from tests.scenarios.test_autoscaling import IN_FLIGHT, autoscaler, of_service, told
from tests.scenarios.test_channel import mesh
from tests.scenarios.weft import PATIENCE, Answer, Weft, ask, wait_for
from tests.scenarios.world import endpoints

SLACK = 0.2
"""Seconds that waking may take beside what the replica itself needs to start."""
NOISE = 0.5 if SOAK else 3.0
"""Seconds that tests beside this one on the same machine may take from it: four suites at once in the bounded run."""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "manifests", autoscaler={"period": "1s"})


@pytest.fixture
def weft(folder: Folder, request: pytest.FixtureRequest) -> Iterator[Weft]:
    environment = getattr(request, "param", {})
    zero = autoscaler(of_service(IN_FLIGHT, "200"), 0, 3, scaleDown={"stabilizationWindowSeconds": 2})
    folder.put("app", deployment("app", 0, **environment), service("app", app="app"), zero)
    with serving_of(folder) as weft:
        yield weft


def own_start() -> float:
    """Seconds that the application needs by itself until it answers."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    began = time.monotonic()
    environ = {**os.environ, "HOST": "127.0.0.1", "PORT_HTTP": str(port)}
    process = subprocess.Popen([sys.executable, "-S", str(APPLICATION)], env=environ)
    try:
        wait_for(lambda: answers(f"127.0.0.1:{port}"))
        return time.monotonic() - began
    finally:
        process.kill()
        process.wait()


def answers(address: str) -> bool:
    try:
        return ask(address, "/healthz").status == 200
    except OSError:
        return False


def post(address: str, body: bytes) -> Answer:
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE)
    connection.request("POST", "/", body)
    response = connection.getresponse()
    fields = {name.lower(): value for name, value in response.getheaders()}
    answer = Answer(response.status, fields, response.read())
    connection.close()
    return answer


def held(weft: Weft) -> int:
    page = weft.admin("/metrics").body.decode()
    lines = (line for line in page.splitlines() if line.startswith("weft_http_requests_queued{"))
    return sum(int(float(line.split()[-1])) for line in lines if 'service="app"' in line)


def test_the_first_answer_comes_when_the_replica_has_started(weft: Weft) -> None:
    wait_for(lambda: told(weft).get("word") == "ScaledToZero", weft.told)
    address = weft.address("app")
    took = []
    for _ in range(2):
        own = own_start()
        took.append(first_answer(address) - own)
        wait_for(lambda: told(weft).get("desiredReplicas") == 0, weft.told)
        wait_for(lambda: not weft.admin("/api/v1/services").json["services"][0]["endpoints"]["total"], weft.told)
    print(f"beside the application's own start, from zero: {', '.join(f'{seconds:.3f} s' for seconds in took)}")
    assert min(took) < SLACK + NOISE, weft.told()


def test_what_sleeps_is_said_to_sleep(weft: Weft) -> None:
    wait_for(lambda: told(weft).get("word") == "ScaledToZero", weft.told)
    objects = weft.admin("/api/v1/config").json["objects"]
    status = {each["kind"]: each["status"] for each in objects}
    assert (status["Service"]["state"], status["HorizontalPodAutoscaler"]["state"]) == ("accepted", "accepted")
    assert status["Service"]["reasons"] == ["scaled to zero; a request wakes it"]
    verdict = explained(weft, weft.address("app"))
    assert verdict.startswith("waits: ")
    assert verdict.endswith("the Service is scaled to zero; a request wakes it")
    said = weft.admin("/metrics").body.decode()
    assert "\nweft_ready_endpoints{" not in said, "an alert would take it for a Service without endpoints"
    assert ask(weft.address("app")).status == 200
    assert re.search(r'\nweft_ready_endpoints{[^}]*service="app"[^}]*} [1-9]', weft.admin("/metrics").body.decode())


def first_answer(address: str) -> float:
    """Seconds until a request is answered well."""
    began = time.monotonic()
    assert ask(address).status == 200
    return time.monotonic() - began


def test_a_hundred_at_once_lose_none_and_a_body_comes_whole(weft: Weft) -> None:
    address, body = weft.address("app"), os.urandom(100 * 1024)
    with ThreadPoolExecutor(101) as pool:
        posted = pool.submit(post, address, body)
        asked = [pool.submit(ask, address, f"/{number}") for number in range(100)]
        assert [each.result().status for each in asked] == [200] * 100
    answer = posted.result()
    assert (answer.status, answer.json["length"]) == (200, len(body))
    assert answer.json["sha256"] == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("weft", [{"GATE": str(APPLICATION)}], indirect=True)
def test_what_is_held_is_bounded_and_a_stop_tells_all(weft: Weft) -> None:
    address = weft.address("app")
    with ThreadPoolExecutor(210) as pool:
        waiting = [pool.submit(ask, address) for _ in range(200)]
        wait_for(lambda: held(weft) == 200, weft.told)
        refused = ask(address)
        assert (refused.status, refused.fields["retry-after"]) == (503, "5")
        assert "this client has enough requests waiting" in refused.fields["proxy-status"]
        began = time.monotonic()
        weft.process.send_signal(signal.SIGTERM)
        answered = [each.result() for each in waiting]
        assert {(each.status, each.fields["retry-after"]) for each in answered} == {(503, "5")}
        assert weft.process.wait(PATIENCE) == 0
        assert time.monotonic() - began < PATIENCE / 2


@pytest.mark.parametrize("weft", [{"GATE": str(APPLICATION)}], indirect=True)
def test_killed_while_it_holds_it_comes_again(weft: Weft, folder: Folder) -> None:
    address = weft.address("app")
    with ThreadPoolExecutor(10) as pool:
        waiting = [pool.submit(gone, address) for _ in range(10)]
        wait_for(lambda: held(weft) == 10, weft.told)
        weft.process.kill()
        assert all(each.result() for each in waiting)
    folder.put("app", deployment("app", 0), service("app", app="app"), autoscaler(of_service(IN_FLIGHT, "200"), 0, 3))
    with serving_of(folder) as again:
        assert ask(again.address("app")).status == 200


def gone(address: str) -> bool:
    try:
        return not ask(address)
    except (OSError, http.client.HTTPException):
        return True


def test_as_many_are_started_as_what_waits_asks_for_and_not_one_by_one(tmp_path: Path) -> None:
    folder, gate = Folder(tmp_path / "manifests", autoscaler={"period": "60s"}), tmp_path / "gate"
    gate.touch()
    zero = autoscaler(of_service(IN_FLIGHT, "20"), 0, 5)
    folder.put("app", deployment("app", 0, GATE=str(gate)), service("app", app="app"), zero)
    with serving_of(folder) as weft, ThreadPoolExecutor(50) as pool:
        waiting = [pool.submit(ask, weft.address("app")) for _ in range(50)]
        wait_for(lambda: told(weft).get("desiredReplicas") == 3, weft.told)
        gate.unlink()
        assert [each.result().status for each in waiting] == [200] * 50


def test_paused_nobody_is_held(weft: Weft, folder: Folder) -> None:
    zero: dict[str, Any] = autoscaler(of_service(IN_FLIGHT, "200"), 0, 3)
    zero["metadata"]["annotations"] = {"weft.dev/autoscale": "paused"}
    before = reads(weft)
    folder.put("app", deployment("app", 0), service("app", app="app"), zero)
    wait_reload(weft, before)
    began = time.monotonic()
    answer = ask(weft.address("app"))
    assert (answer.status, answer.fields["retry-after"]) == (503, "30")
    assert "no autoscaler is there to wake it" in answer.fields["proxy-status"]
    assert time.monotonic() - began < NOISE
    assert explained(weft, weft.address("app")).endswith("no request wakes it: weft.dev/autoscale: paused")
    objects = weft.admin("/api/v1/config").json["objects"]
    (said,) = (each["status"]["reasons"] for each in objects if each["kind"] == "Service")
    assert said == ["scaled to zero; no request wakes it: weft.dev/autoscale: paused"]


def test_a_node_holds_and_another_starts_what_it_waits_for(tmp_path: Path) -> None:
    with mesh(tmp_path, autoscaler={"period": "1s"}) as made:
        runs = made.node("runs", "--run", "default/app", "--run-with", "env")
        carries = made.node("carries")
        zero = autoscaler(of_service(IN_FLIGHT, "200"), 0, 3, scaleDown={"stabilizationWindowSeconds": 2})
        made.apply(service("app", app="app"), deployment("app", 0), zero)
        for weft in (runs, carries):
            wait_for(lambda weft=weft: ports(weft, "app"), weft.told)  # type: ignore[misc]
        wait_for(lambda: told(made.registry).get("word") == "ScaledToZero", made.registry.told)
        address = ports(carries, "app")["http"]
        wait_for(lambda: explained(carries, address).startswith("waits: "), lambda: explained(carries, address))
        own = own_start()
        seconds = first_answer(address)
        print(f"over the channel: {seconds:.3f} s, of which the application's own start is {own:.3f} s")
        assert seconds < own + 2 * SLACK + 2 * NOISE, f"{made.registry.told()}\n{runs.told()}"
        wait_for(lambda: told(made.registry).get("word") == "ScaledToZero", made.registry.told)
        wait_for(lambda: not endpoints(carries, "app"), carries.told)
        made.registry.process.kill()
        wait_for(lambda: not carries.admin("/api/v1/channel").json["connected"], carries.told)
        assert "no request wakes it: no autoscaler is connected (" in explained(carries, address)
        began = time.monotonic()
        refused = ask(address)
        assert (refused.status, refused.fields["retry-after"]) == (503, "30"), "nobody could be told"
        assert "no autoscaler is there to wake it" in refused.fields["proxy-status"]
        assert time.monotonic() - began < NOISE


def explained(weft: Weft, address: str) -> str:
    return str(weft.admin(f"/api/v1/explain?url=http://{address}/").json["verdict"])
