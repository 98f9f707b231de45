"""Groups of a TrafficPolicy about endpoints: what goes together, and what is out of range."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.validation.balancing import is_prime, status_range
from tests.config.validating import Case, Expected, case, check, document, error, service, table, warning

WEB = service("{ports: [{port: 80, name: http}]}")


def group(name: str, spelled: str, value: str, *expected: Expected) -> Case:
    """A policy with one group."""
    body = f"spec: {{targetRef: {{kind: Service, name: web}}, {spelled}: {value}}}"
    return case(name, WEB + document("TrafficPolicy", body, "web", "weft.dev/v1"), *expected)


def balancer(name: str, kind: str, rest: str, *expected: Expected) -> Case:
    return group(name, "balancer", f"{{type: {kind}{rest}}}", *expected)


def checked(name: str, value: str, *expected: Expected) -> Case:
    return group(name, "healthCheck", value, *expected)


def ejecting(name: str, value: str, *expected: Expected) -> Case:
    return group(name, "ejection", value, *expected)


KEY = ", hash: {header: X-User}"
CASES = [
    balancer("choices", "LeastRequest", ", choices: 3"),
    balancer("one choice is none", "LeastRequest", ", choices: 1", error("spec.balancer.choices", "between 2 and 10")),
    balancer("choices in turn", "Random", ", choices: 3", warning("spec.balancer.choices", "no effect with Random")),
    balancer("a key in turn", "RoundRobin", KEY, warning("spec.balancer.hash", "Maglev and RingHash")),
    balancer("no key", "RingHash", "", error("spec.balancer", "needs hash")),
    balancer("an empty key", "Maglev", ", hash: {}", error("spec.balancer.hash", "exactly one")),
    balancer(
        "two keys", "Maglev", ", hash: {header: A, sourceAddress: true}", error("spec.balancer.hash", "exactly one")
    ),
    balancer("a header that is none", "Maglev", ", hash: {header: 'a b'}", error("spec.balancer.hash.header", "token")),
    balancer("a cookie that is none", "Maglev", ", hash: {cookie: 'a;b'}", error("spec.balancer.hash.cookie", "token")),
    balancer(
        "a query that is none", "Maglev", ", hash: {query: 'a=b'}", error("spec.balancer.hash.query", "as it stands")
    ),
    case(
        "slow start of keys",
        WEB
        + document(
            "TrafficPolicy",
            "spec: {targetRef: {kind: Service, name: web}, slowStart: {}, balancer: {type: Maglev, hash: {header: A}}}",
            "web",
            "weft.dev/v1",
        ),
        warning("spec.slowStart", "moves keys"),
    ),
    case(
        "a header of a connection",
        WEB
        + document(
            "TrafficPolicy",
            "spec: {targetRef: {kind: Service, name: web}, protocol: tcp, balancer: {type: Maglev, hash: {header: A}}}",
            "web",
            "weft.dev/v1",
        ),
        warning("spec.balancer.hash", "only a source address"),
    ),
    balancer("a query", "RingHash", ", hash: {query: user_id}"),
    balancer("a bound", "RingHash", f"{KEY}, boundedLoad: 125, points: 160"),
    balancer(
        "a bound of its share",
        "RingHash",
        f"{KEY}, boundedLoad: 100",
        error("spec.balancer.boundedLoad", "more than 100"),
    ),
    balancer("a table", "Maglev", f"{KEY}, tableSize: 16381"),
    balancer("no prime", "Maglev", f"{KEY}, tableSize: 4096", error("spec.balancer.tableSize", "4099")),
    balancer(
        "a table for a ring", "RingHash", f"{KEY}, tableSize: 16381", warning("spec.balancer.tableSize", "for Maglev")
    ),
    balancer("no memory", "PeakEWMA", ", decay: 0", error("spec.balancer.decay", "longer than 0")),
    group("slow start", "slowStart", "{window: 1m, aggression: 1.5, leastPercent: 5}"),
    group("no slow start", "slowStart", "{window: 0}", warning("spec.slowStart.window", "leave")),
    checked("tcp", "{}"),
    checked("http", "{type: http, path: '/health?full', host: shop.example, expectedStatus: [200, 204-206], port: 81}"),
    checked("grpc", "{type: grpc, service: shop.Cart, interval: 5s, timeout: 2s, rise: 1, fall: 1}"),
    checked("https", "{type: http, scheme: https}"),
    checked("https for tcp", "{scheme: https}", warning("spec.healthCheck.scheme", "no effect with tcp")),
    checked("a path for tcp", "{path: /healthz}", warning("spec.healthCheck.path", "no effect with tcp")),
    checked("a service for http", "{type: http, service: a}", warning("spec.healthCheck.service", "it is for grpc")),
    checked("a path that is none", "{type: http, path: healthz}", error("spec.healthCheck.path", "begin with '/'")),
    checked(
        "a path that breaks out", '{type: http, path: "/a\\r\\nb: c"}', error("spec.healthCheck.path", "white space")
    ),
    checked("a host that breaks out", '{type: http, host: "a\\nb"}', error("spec.healthCheck.host", "not a host")),
    checked("no status", "{type: http, expectedStatus: []}", error("spec.healthCheck.expectedStatus", "at least one")),
    checked(
        "a status that is none",
        "{type: http, expectedStatus: ['2xx']}",
        error("spec.healthCheck.expectedStatus[0]", "status code"),
    ),
    checked(
        "a status twice",
        "{type: http, expectedStatus: ['200', '200']}",
        error("spec.healthCheck.expectedStatus[1]", "[0]"),
    ),
    checked(
        "never",
        "{interval: 0}",
        error("spec.healthCheck.interval", "longer than 0"),
        warning("spec.healthCheck.timeout", "longer than the interval"),
    ),
    checked("no time to answer", "{timeout: 0}", error("spec.healthCheck.timeout", "longer than 0")),
    checked("all the time", "{interval: 1ms, timeout: 1ms}", error("spec.healthCheck.interval", "100ms")),
    checked("patience", "{timeout: 20s}", warning("spec.healthCheck.timeout", "longer than the interval")),
    checked("rise to nothing", "{rise: 0}", error("spec.healthCheck.rise", "between 1 and 100")),
    ejecting(
        "everything", "{connectFailures: 3, serverErrors: 5, successRate: {}, first: 2s, longest: 1m, mostPercent: 10}"
    ),
    ejecting("no time", "{first: 0}", error("spec.ejection.first", "longer than 0")),
    ejecting("shrinking", "{first: 1m}", error("spec.ejection.longest", "at least")),
    ejecting("nobody", "{mostPercent: 0}", error("spec.ejection.mostPercent", "between 1 and 100")),
    ejecting(
        "no interval", "{successRate: {interval: 0}}", error("spec.ejection.successRate.interval", "longer than 0")
    ),
    group("panic", "panic", "{belowPercent: 0}"),
    group(
        "panic beyond all",
        "panic",
        "{belowPercent: 101}",
        error("spec.panic.belowPercent", "between 0 and 100"),
    ),
    group("failover", "failover", "{belowPercent: 70}"),
    group("near", "locality", "{prefer: Zone}"),
    group("nowhere", "locality", "{prefer: zone}", error("spec.locality.prefer", "Zone")),
    group("limits", "limits", "{endpoint: {requests: 10}, backend: {connections: 100}, queue: {length: 5}}"),
    group("no queue", "limits", "{queue: {length: 0, deadline: 0}}"),
    group("no patience", "limits", "{queue: {deadline: 0}}", error("spec.limits.queue.deadline", "length: 0")),
]


@table(CASES)
def test_groups(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path)


@pytest.mark.parametrize(
    "text", ["", "2", "20x", "600", "200-", "-200", "300-200", "200-300-400", "\uff12\uff10\uff10"]
)
def test_no_status_range(text: str) -> None:
    with pytest.raises(ValueError, match=r"status|ends"):
        status_range(text)


def test_status_ranges() -> None:
    assert status_range("204") == range(204, 205)
    assert status_range("200-299") == range(200, 300)


def test_primes() -> None:
    assert [n for n in range(30) if is_prime(n)] == [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]
