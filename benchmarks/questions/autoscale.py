"""How soon a step of load is decided on and served, and how long the first answer from zero takes."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any
from urllib.error import HTTPError

from benchmarks.answer import Answer, Row, at_most
from benchmarks.measure import median
from benchmarks.rig import HERE, LOAD_CORE, Proxy, Rig, accepts, free_port, wait_for

NAME = "autoscale"
IN_FLIGHT, EACH = 20, 4
TITLE = (
    f"Autoscaling: a step from 0 to {IN_FLIGHT} requests in flight, of which a replica is to have {EACH}; and from zero"
)
WANTED = IN_FLIGHT // EACH
PERIOD = 15.0
"""Seconds between two decisions of a HorizontalPodAutoscaler, as is the default."""
TICK = 2.0
"""Of the fast lane."""
BESIDE = 200
"""Milliseconds at most from zero, beside the replica's own start."""
REPLICA = [sys.executable, "-S", str(HERE / "slow.py")]
PATIENCE = 90.0

Manifest = dict[str, Any]


def run(rounds: int, seconds: float) -> Answer:
    """Medians of `rounds` steps and wakes; `seconds` changes nothing."""
    answer = Answer(
        TITLE,
        f"replicas are processes that answer after 250 ms; median of {rounds} runs, whose steps come at as many "
        "moments of a period",
    )
    for name, scaler, period in (
        ("fast lane", fast_lane(), TICK),
        (f"HorizontalPodAutoscaler, period {PERIOD:g} s", autoscaler(1), PERIOD),
    ):
        steps = [step(scaler, period * number / rounds) for number in range(rounds)]
        for place, what in enumerate(("decided", "another replica ready", f"all {WANTED} ready")):
            answer.rows.append(Row(f"{name}: {what}", median([each[place] for each in steps]), "s"))
    woken = [from_zero() for _ in range(rounds)]
    answer.rows.extend([
        Row("from zero: first answer", median([took for took, _ in woken]) * 1e3, "ms"),
        Row("a replica's own start", median([own for _, own in woken]) * 1e3, "ms"),
        at_most("from zero, beside the own start", median([took - own for took, own in woken]) * 1e3, "ms", BESIDE),
    ])  # fmt: skip
    return answer


def step(scaler: Manifest, moment: float) -> tuple[float, float, float]:
    """Seconds from a step of load until it is decided on, until there are two replicas, and all; at that `moment`."""
    with served(scaler, replicas=1) as (weft, address):
        wait_for(lambda: ready(weft) == 1 and decided(weft) == 1, "the first decision", PATIENCE)
        time.sleep(moment)
        with loaded(address):
            began = time.monotonic()
            times = []
            for reached in (
                lambda: decided(weft) > 1,
                lambda: ready(weft) > 1,
                lambda: ready(weft) >= WANTED,
            ):
                wait_for(reached, "what was to be scaled", PATIENCE)
                times.append(time.monotonic() - began)
    return times[0], times[1], times[2]


def from_zero() -> tuple[float, float]:
    """Seconds until the first answer of a Service that sleeps, and until one of a replica that is just started."""
    with served(autoscaler(0), replicas=0) as (_, address):
        began = time.monotonic()
        ask(address)
        took = time.monotonic() - began
    port = free_port()
    with Rig() as rig:
        began = time.monotonic()
        rig.start(LOAD_CORE, REPLICA, env={**os.environ, "HOST": "127.0.0.1", "PORT_HTTP": str(port)})
        while not accepts("127.0.0.1", port):
            time.sleep(0.001)
        ask(("127.0.0.1", port))
        return took, time.monotonic() - began


@contextmanager
def served(scaler: Manifest, replicas: int) -> Iterator[tuple[Proxy, tuple[str, int]]]:
    """Weft with the application and `scaler`, and where the application is served."""
    address = "127.96.9.4", free_port()
    with Rig() as rig:
        manifests = "---\n".join(json.dumps(each) + "\n" for each in (*application(address, replicas), scaler))
        node = f"images: {{slow: {json.dumps(REPLICA)}}}"
        weft = rig.start_weft(manifests, listens=[address], node=node)
        wait_for(lambda: is_ready(weft), "weft", PATIENCE)
        yield weft, address


@contextmanager
def loaded(address: tuple[str, int]) -> Iterator[None]:
    """`IN_FLIGHT` requests at any time."""
    over = threading.Event()

    def keep_asking() -> None:
        while not over.is_set():
            ask(address)

    threads = [threading.Thread(target=keep_asking) for _ in range(IN_FLIGHT)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def ask(address: tuple[str, int]) -> None:
    """One request; raises RuntimeError when it fails."""
    connection = HTTPConnection(*address, timeout=PATIENCE)
    connection.request("GET", "/")
    status = connection.getresponse().status
    connection.close()
    if status != 200:
        raise RuntimeError(f"answered with {status}")


def decided(weft: Proxy) -> int:
    """Replicas that there are to be."""
    (told,) = document(weft, "autoscalers")
    return int(told.get("desiredReplicas", 0))


def ready(weft: Proxy) -> int:
    (told,) = document(weft, "services")
    return int(told["endpoints"]["ready"])


def is_ready(weft: Proxy) -> bool:
    try:
        with urllib.request.urlopen(f"{weft.admin}/readyz", timeout=10) as answer:
            return bool(answer.status == 200)
    except HTTPError:
        return False


def document(weft: Proxy, what: str) -> list[Any]:
    with urllib.request.urlopen(f"{weft.admin}/api/v1/{what}", timeout=10) as answer:
        found: list[Any] = json.load(answer)[what]
        return found


# Manifests


def application(address: tuple[str, int], replicas: int) -> tuple[Manifest, Manifest]:
    """A Deployment and its Service."""
    probe = {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1}
    ports = [{"name": "http", "containerPort": 8080}]
    container = {"name": "main", "image": "slow", "ports": ports, "readinessProbe": probe}
    template = {"metadata": {"labels": {"app": "slow"}}, "spec": {"containers": [container]}}
    chosen = {"replicas": replicas, "selector": {"matchLabels": {"app": "slow"}}, "template": template}
    port = {"name": "http", "port": address[1], "targetPort": "http"}
    service = {"clusterIP": address[0], "selector": {"app": "slow"}, "ports": [port]}
    return _named("apps/v1", "Deployment", chosen), _named("v1", "Service", service)


def autoscaler(least: int) -> Manifest:
    described = {"apiVersion": "v1", "kind": "Service", "name": "slow"}
    metric = {
        "type": "Object",
        "object": {
            "describedObject": described,
            "metric": {"name": "weft_http_requests_in_flight"},
            "target": {"type": "AverageValue", "averageValue": str(EACH)},
        },
    }
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "slow"}
    spec = {"scaleTargetRef": target, "minReplicas": least, "maxReplicas": 2 * WANTED, "metrics": [metric]}
    return _named("autoscaling/v2", "HorizontalPodAutoscaler", spec)


def fast_lane() -> Manifest:
    scaling = {"target": EACH, "utilizationPercent": 100, "minReplicas": 1, "maxReplicas": 2 * WANTED}
    reference = {"kind": "Service", "name": "slow"}
    return _named("weft.dev/v1", "TrafficPolicy", {"targetRef": reference, "scaling": scaling})


def _named(version: str, kind: str, spec: Mapping[str, Any]) -> Manifest:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "slow"}, "spec": spec}
