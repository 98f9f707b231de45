"""An explanation as text for people, made from the plain data that the admin API gives and ``--json`` prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from mesh import reasons
from sidecar.terminal import Painter, printable

MOST_RULES = 12
"""Lost rules that are shown in a text."""
COMMON: Final[Mapping[str, str]] = {
    "http_request_error": "the request did not arrive as it should",
    "http_request_denied": reasons.DENIED.details,
    "destination_not_found": "nothing is served there",
    "destination_unavailable": reasons.NO_ENDPOINTS.details,
    "connection_limit_reached": "as much was in flight or waited as may",
    "connection_terminated": "the connection was closed before its end",
    "http_response_timeout": "it was not answered in time",
}
"""By reason code that several causes share, and a record does not tell apart: what is true of all of them."""


def render(told: Mapping[str, Any], paint: Painter) -> str:
    """The text, the verdict first."""
    return "\n".join([paint("bold", told["verdict"]), *_parts(told, paint)])


def _parts(told: Mapping[str, Any], paint: Painter) -> Iterator[str]:
    if "exchange" in told:
        yield from _exchange(told["exchange"])
    if "request" in told:
        yield from _request(told)
    if told.get("listener"):
        yield from _listener(told["listener"])
    if told.get("certificate"):
        shown = told["certificate"]
        whose = f"that of Secret {shown['secret']}" if shown["secret"] else "weft's own, which no client trusts,"
        yield _row("tls", f"the certificate is {whose} for {', '.join(shown['names'])}")
    if "rules" in told:
        yield from _rules(told["rules"], told["ruleCount"], paint)
    for name, step in zip(["filters"] + [""] * len(told.get("filters", ())), told.get("filters", ()), strict=False):
        yield _row(name, f"{step['filter']}: {step['outcome']}")
    if "backend" in told:
        yield from _backend(told, paint)


def _row(name: str, text: str) -> str:
    return f"  {name:<10} {text}"


def _exchange(record: Mapping[str, Any]) -> Iterator[str]:
    yield _row("what", _carried(record))
    yield _row("from", f"{record['client']} to {record['listener']}")
    if record.get("endpoint"):
        yield _row("endpoint", f"{record['endpoint']}, try {record.get('tries', 1)}")
    if record.get("reason"):
        yield _row("reason", f"{record['reason']}: {told_reason(record['reason'], record.get('status', 0))}")
    yield _row("took", f"{record.get('seconds', 0.0) * 1000:.1f} ms")


def _carried(record: Mapping[str, Any]) -> str:
    protocol = record.get("protocol", "http")
    if protocol != "http":
        return f"{protocol}: {record.get('bytesIn', 0)} bytes in, {record.get('bytesOut', 0)} out"
    return printable(f"{record.get('method', '-')} {record.get('host', '')}{record.get('target', '')}")


def told_reason(code: str, status: int) -> str:
    """What a reason code with the `status` that was answered (0: none) means; of several causes what all come to."""
    known = [each for each in vars(reasons).values() if isinstance(each, reasons.Reason) and each.error == code]
    texts = {each.details for each in known if each.status == status} or {each.details for each in known}
    return COMMON[code] if len(texts) > 1 else next(iter(texts), "unknown")


def _request(told: Mapping[str, Any]) -> Iterator[str]:
    request = told["request"]
    http = request["scheme"] in ("http", "https")
    what = f"{request['method']} {request['target']}, Host {request['host']}" if http else f"{request['scheme']} to "
    yield _row("request", what if http else what + request["host"])
    if told["remark"] and told["listener"]:
        yield _row("", told["remark"])


def _listener(listener: Mapping[str, Any]) -> Iterator[str]:
    yield _row("listener", f"{listener['wanted']}, {listener['entry']}, {listener['protocol']}")
    if listener["note"]:
        yield _row("", listener["note"])


def _rules(rules: list[Mapping[str, Any]], count: int, paint: Painter) -> Iterator[str]:
    won = [rule for rule in rules if rule["won"]]
    lost = [rule for rule in rules if not rule["won"]]
    for name, rule in zip(["rules"] + [""] * len(rules), won + lost[:MOST_RULES], strict=False):
        mark = paint("green", "won ") if rule["won"] else paint("dim", "lost")
        yield _row(name, f"{mark} {rule['rule']} of {rule['owner']}: {rule['why']}")
    if not rules:
        yield _row("rules", "there are none")
    if count > len(won) + MOST_RULES:
        yield _row("", f"and {count - len(won) - MOST_RULES} more that lost; --json shows more of them")


def _backend(told: Mapping[str, Any], paint: Painter) -> Iterator[str]:
    backend = told["backend"]
    yield _row("backend", f"{backend['namespace']}/{backend['service']}:{backend['port']}")
    for policy in told["policies"]:
        name = f"{policy['namespace']}/{policy['name']}" + (f" port {policy['port']}" if policy["port"] else "")
        yield _row("policy", f"{name} of {policy['target']} ({policy['source']}): {_said(policy['says'])}")
    if not told["policies"]:
        yield _row("policy", "none: defaults hold")
    if "exchange" in told:
        yield _row("now", "these are the endpoints as they are now, not as they were for the request")
    for name, endpoint in zip(["endpoints"] + [""] * len(told["endpoints"]), told["endpoints"], strict=False):
        mark = paint("green", "yes") if endpoint["eligible"] else paint("red", "no ")
        who = f" {endpoint['replica']}" if endpoint["replica"] else ""
        yield _row(name, f"{mark} {endpoint['address']}{who}: {endpoint['why']}")
    if not told["endpoints"]:
        yield _row("endpoints", "there are none")
    if told["endpointCount"] > len(told["endpoints"]):
        yield _row("", f"and {told['endpointCount'] - len(told['endpoints'])} more")
    for text in told.get("absent", ()):
        yield _row("", text)
    if "pick" in told and told["endpoints"]:
        pick = told["pick"]
        yield _row("pick", f"{pick['address']}: {pick['how']}" if pick["address"] else pick["how"])
    yield _row("timeouts", _flat(told["timeouts"]))
    yield from _retries(told["retries"])
    if told["limits"]:
        yield _row("limits", _limits(told["limits"], told["inFlight"]))


def _limits(limits: Mapping[str, Any], in_flight: int) -> str:
    """What there is room for; a limit of 0 is none."""
    at_most = [
        f"{number} {what} {where}"
        for part, where in (("backend", "in all"), ("endpoint", "at each endpoint"))
        for what, number in limits.get(part, {}).items()
        if number
    ]
    return f"{in_flight} in flight, {limits['waiting']} waiting; at most {', '.join(at_most) or 'as many as come'}"


def _retries(retries: Mapping[str, Any]) -> Iterator[str]:
    yield _row("retries", f"{retries['attempts']} more tries on {', '.join(retries['on']) or 'nothing'}")
    share = f"{retries['budgetPercent']} % of the requests in flight, at least {retries['budgetLeast']}"
    yield _row("budget", f"{retries['left']} left for retries now, {retries['running']} running ({share})")


def _said(says: Mapping[str, Any]) -> str:
    return ", ".join(says) if says else "nothing beside the defaults"


def _flat(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_seconds(value)}" for name, value in values.items())


def _seconds(value: float) -> str:
    return f"{value:g} s" if value else "none"
