"""What each policy costs a request: CPU per request beside the same Service without any, in the same run."""

from __future__ import annotations

import json
from functools import partial

from benchmarks.answer import Answer, Row, at_most
from benchmarks.manifests import endpoint_slice, service
from benchmarks.measure import in_turns, median
from benchmarks.rig import Proxy, Rig, free_port, wrk

NAME = "policies"
TITLE = "HTTP/1.1 keep-alive, 64 connections, heads of 450 bytes that differ: what policies cost"
TOGETHER = "retries, ejection, limits"
LOGGED = f"{TOGETHER}, access log"
PLAIN = "no policy"

OF_ENDPOINTS: dict[str, dict[str, object]] = {
    "retries": {"retries": {"attempts": 3, "on": ["connect-failure", "refused", "reset", "timeout", "503"]}},
    "ejection": {"ejection": {"serverErrors": 5, "successRate": {}}},
    "limits": {"limits": {"endpoint": {"requests": 1000}, "backend": {"requests": 3000}}},
}
POLICIES: dict[str, dict[str, object]] = {
    **OF_ENDPOINTS,
    TOGETHER: {group: said for policy in OF_ENDPOINTS.values() for group, said in policy.items()},
    "least request": {"balancer": {"type": "LeastRequest"}},
    "Maglev by source address": {"balancer": {"type": "Maglev", "hash": {"sourceAddress": True}}},
    "peak EWMA": {"balancer": {"type": "PeakEWMA"}},
    "total timeout": {"timeouts": {"request": "30s"}},
    "access list": {"access": {"deny": ["192.0.2.0/24"]}},
    "rate limit": {"rateLimit": {"client": {"requests": 10_000_000}, "route": {"requests": 10_000_000}}},
    "header edits": {"headers": {"request": {"set": {"X-A": "1"}}, "response": {"add": {"X-B": "2"}}}},
    "rewrite": {"rewrite": {"prefix": "/v2"}},
    "CORS": {"cors": {"allowOrigins": ["https://shop.example"]}},
}


def run(rounds: int, seconds: float) -> Answer:
    """CPU microseconds per request of each policy, in turns with none."""
    how = f"median of {rounds} rounds of {seconds:g} s each, in turns; one process with, one without the access log"
    answer = Answer(TITLE, f"CPU time of Weft per request, {how}")
    with Rig() as rig:
        rig.start_backends()
        proxies = _start(rig, "weft", "") | _logging(rig)
        in_turns(1, {name: partial(_cost, proxy, 1) for name, proxy in proxies.items()})  # caches warm
        figures = in_turns(rounds, {name: partial(_cost, proxy, seconds) for name, proxy in proxies.items()})
    answer.series.update(figures)
    medians = {name: median(values) for name, values in figures.items()}
    answer.rows.extend(Row(name, value, "us") for name, value in medians.items())
    answer.rows.extend(
        Row(f"{name} / {PLAIN}", value / medians[PLAIN], "x") for name, value in medians.items() if name != PLAIN
    )
    together = medians[LOGGED] / medians[PLAIN]
    answer.rows.append(at_most("retries, ejection, limits and the access log / no policy", together, "x", 1.15))
    return answer


def _start(rig: Rig, name: str, settings: str) -> dict[str, Proxy]:
    """A Service for each policy, and one without, in one process."""
    port = free_port()
    places = {PLAIN: "127.96.9.10"} | {each: f"127.96.9.{11 + n}" for n, each in enumerate(POLICIES)}
    documents = []
    for number, (label, ip) in enumerate(places.items()):
        documents.append(service(f"s{number}", ip, [("http", port)]))
        documents += [endpoint_slice(f"s{number}", ["http"], backend, ["127.0.0.1"]) for backend in rig.backends]
        if label in POLICIES:
            documents.append(_policy(f"s{number}", POLICIES[label]))
    started = rig.start_weft("---\n".join(documents), name, [(ip, port) for ip in places.values()], settings)
    return {label: Proxy(name, started.pid, f"http://{ip}:{port}") for label, ip in places.items()}


def _logging(rig: Rig) -> dict[str, Proxy]:
    """The same again in a process that writes its access log."""
    logging = _start(rig, "weft-logging", "accessLog: true")
    return {"access log": logging[PLAIN], LOGGED: logging[TOGETHER]}


def _policy(target: str, said: dict[str, object]) -> str:
    spec = json.dumps({"targetRef": {"kind": "Service", "name": target}, **said})
    return f"apiVersion: weft.dev/v1\nkind: TrafficPolicy\nmetadata: {{name: {target}}}\nspec: {spec}\n"


def _cost(proxy: Proxy, seconds: float) -> float:
    return wrk(proxy, f"{proxy.http}/", seconds, script="heads.lua").cpu_per_request
