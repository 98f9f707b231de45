"""Groups of a TrafficPolicy about endpoints: fields that go together, ranges that no type can state."""

from __future__ import annotations

import re

from config.balancing import BalancerPolicy, CookieIssue, EjectionPolicy, HashKey, HealthCheckPolicy
from config.naming import TOKEN, shown
from config.policies import TrafficPolicySpec
from config.validation.report import ObjectReport, duplicates

_HASHING = frozenset({"RingHash", "Maglev"})
_DEFAULTS = BalancerPolicy()
_ONLY_FOR = {
    "choices": frozenset({"LeastRequest", "PeakEWMA"}),
    "hash": _HASHING,
    "bounded_load": _HASHING,
    "points": frozenset({"RingHash"}),
    "table_size": frozenset({"Maglev"}),
    "decay": frozenset({"PeakEWMA"}),
}
_FIELD_NAMES = {"bounded_load": "boundedLoad", "table_size": "tableSize"}
_QUEUE_LENGTH = "spec.limits.queue.length"
_STATUS = re.compile(r"[1-5][0-9]{2}", re.ASCII)
_QUERY_NAME = re.compile(r"[!\"$%'-<>-~]+")
_COOKIE_PATH = re.compile(r"/[!-:<-~]*")
_KEYS = tuple(f"spec.balancer.hash.{field}" for field in ("header", "cookie", "query", "sourceAddress"))
_PRINTABLE = re.compile(r"[!-~]+")


def check_balancing(spec: TrafficPolicySpec, report: ObjectReport) -> None:
    if spec.balancer:
        _check_balancer(spec, spec.balancer, report)
    if spec.slow_start and not spec.slow_start.window:
        report.warning("spec.slowStart.window", "0 is no slow start; leave slowStart out to say so")
    if spec.slow_start and spec.balancer and spec.balancer.type in _HASHING:
        words = f"moves keys from endpoint to endpoint while one grows, which {spec.balancer.type} is to prevent"
        report.warning("spec.slowStart", words, "spec.balancer.type")
    if spec.health_check:
        _check_health_check(spec.health_check, report)
    if spec.ejection:
        _check_ejection(spec.ejection, report)
    if spec.limits and spec.limits.queue.length and not spec.limits.queue.deadline:
        report.error("spec.limits.queue.deadline", "must be longer than 0; write length: 0 for no queue", _QUEUE_LENGTH)


def _check_balancer(spec: TrafficPolicySpec, balancer: BalancerPolicy, report: ObjectReport) -> None:
    path, kind, given = "spec.balancer", balancer.type, "spec.balancer.type"
    for field, types in _ONLY_FOR.items():
        if kind not in types and getattr(balancer, field) != getattr(_DEFAULTS, field):
            name = _FIELD_NAMES.get(field, field)
            words = f"has no effect with {kind}: it is for {' and '.join(sorted(types))}"
            report.warning(f"{path}.{name}", words, given)
    if kind in _HASHING and balancer.hash is None:
        words = f"{kind} needs hash: what is hashed, such as {{header: X-User}} or {{sourceAddress: true}}"
        report.error(path, words, given, f"{path}.hash")
    if 0 < balancer.bounded_load <= 100:
        words = f"{balancer.bounded_load} leaves no room: write more than 100, such as 125, or 0 for no bound"
        report.error(f"{path}.boundedLoad", words)
    if not is_prime(balancer.table_size):
        better = next(number for number in range(balancer.table_size, 20_000) if is_prime(number))
        words = f"{balancer.table_size} is not a prime number; the next one is {better}"
        report.error(f"{path}.tableSize", words)
    if not balancer.decay:
        report.error(f"{path}.decay", "must be longer than 0")
    if balancer.hash is not None:
        _check_hash(balancer.hash, report)
        if spec.protocol == "tcp" and not balancer.hash.source_address:
            words = "is never found with protocol: tcp: a connection has only a source address"
            report.warning(f"{path}.hash", words, "spec.protocol", f"{path}.hash.sourceAddress")


def _check_hash(key: HashKey, report: ObjectReport) -> None:
    path = "spec.balancer.hash"
    said = [name for name in ("header", "cookie", "query", "source_address") if getattr(key, name)]
    if len(said) != 1:
        report.error(path, "exactly one of header, cookie, query and sourceAddress is needed", *_KEYS)
    if key.header:
        report.check(f"{path}.header", TOKEN.problem(key.header))
    if key.cookie:
        report.check(f"{path}.cookie", TOKEN.problem(key.cookie))
    if key.query and not _QUERY_NAME.fullmatch(key.query):
        report.error(f"{path}.query", f"{shown(key.query)} is not a parameter's name as it stands in a URL")

    if key.issue:
        _check_issue(key.issue, bool(key.cookie), report)


def _check_issue(issue: CookieIssue, cookie: bool, report: ObjectReport) -> None:
    path = "spec.balancer.hash.issue"
    if not cookie:
        report.error(path, "is for a cookie: say its name in hash.cookie", "spec.balancer.hash.cookie")
    if 0 < issue.ttl < 1:
        report.error(f"{path}.ttl", "is at least a second; write 0 for as long as the client's session lasts")
    if not _COOKIE_PATH.fullmatch(issue.path):
        report.error(f"{path}.path", f"{shown(issue.path)} is not a path: begin with '/', without white space and ';'")
    if issue.same_site == "None" and not issue.secure:
        report.error(f"{path}.sameSite", "None is refused by browsers without secure: true", f"{path}.secure")


def is_prime(number: int) -> bool:
    return number > 1 and all(number % divisor for divisor in range(2, int(number**0.5) + 1))


def status_range(text: str) -> range:
    """The status codes that ``200`` or ``200-399`` stands for; raises ValueError for other text."""
    first, dash, last = text.partition("-")
    last = last if dash else first
    if not (_STATUS.fullmatch(first) and _STATUS.fullmatch(last)):
        raise ValueError(f"{shown(text)} is not a status code or a range of them, such as 204 or 200-399")
    if int(last) < int(first):
        raise ValueError(f"{shown(text)} ends before it begins")
    return range(int(first), int(last) + 1)


def _check_health_check(check: HealthCheckPolicy, report: ObjectReport) -> None:
    path = "spec.healthCheck"
    for field, seconds in (("interval", check.interval), ("timeout", check.timeout)):
        if not seconds:
            report.error(f"{path}.{field}", "must be longer than 0")
    if 0 < check.interval < 0.1:
        report.error(f"{path}.interval", "checks may be at most ten a second: write 100ms or more")
    if check.timeout > check.interval:
        words = "is longer than the interval: the next check waits until this one has ended"
        report.warning(f"{path}.timeout", words, f"{path}.interval")
    _check_http(check, report)
    for field, kind, differs in (
        ("path", "http", check.path != "/"),
        ("host", "http", bool(check.host)),
        ("scheme", "http", check.scheme != "http"),
        ("expectedStatus", "http", check.expected_status != HealthCheckPolicy().expected_status),
        ("service", "grpc", bool(check.service)),
    ):
        if differs and check.type != kind:
            report.warning(f"{path}.{field}", f"has no effect with {check.type}: it is for {kind}", f"{path}.type")


def _check_http(check: HealthCheckPolicy, report: ObjectReport) -> None:
    path = "spec.healthCheck"
    if not check.path.startswith("/") or not _PRINTABLE.fullmatch(check.path):
        report.error(f"{path}.path", f"{shown(check.path)} is not a path: begin with '/', without white space")
    if check.host and not _PRINTABLE.fullmatch(check.host):
        report.error(f"{path}.host", f"{shown(check.host)} is not a host")
    if not check.expected_status:
        report.error(
            f"{path}.expectedStatus", "at least one status code is needed, such as 200-399", f"{path}.expectedStatus"
        )
    for i, text in enumerate(check.expected_status):
        try:
            status_range(str(text))
        except ValueError as problem:
            report.error(f"{path}.expectedStatus[{i}]", str(problem))
    for again, first in duplicates(map(str, check.expected_status)).items():
        words = f"named before, as expectedStatus[{first}]"
        report.error(f"{path}.expectedStatus[{again}]", words, f"{path}.expectedStatus[{first}]")


def _check_ejection(ejection: EjectionPolicy, report: ObjectReport) -> None:
    path = "spec.ejection"
    if not ejection.first:
        report.error(f"{path}.first", "must be longer than 0; write connectFailures: 0 for no ejection")
    if ejection.longest < ejection.first:
        report.error(f"{path}.longest", "must be at least as long as first", f"{path}.first")
    if ejection.success_rate and not ejection.success_rate.interval:
        report.error(f"{path}.successRate.interval", "must be longer than 0")
