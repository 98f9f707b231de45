"""What the policies of a route would do to a request, asked of the filters themselves.

They are pure, but for rate limits: asking one would take a token, so it is only said that it counts.  What chance
decides is told as a share.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from mesh.backend import Backend
from mesh.filters.chain import Filters
from mesh.filters.fault import Fault
from mesh.filters.query import Query, Reply
from mesh.filters.rate_limit import RateLimit
from sidecar.explain.question import Question
from sidecar.redaction import hidden_line

SAMPLES = 1000
"""Looks at what a split gives, for its shares to a tenth of a percent."""


class Filtered(NamedTuple):
    steps: list[dict[str, str]]
    """``filter`` and ``outcome``, in order."""
    reply: Reply | None
    """The answer in the endpoint's place."""
    backend: Backend | None
    """Where most requests go, if the policies send them elsewhere."""


def explain_filters(filters: Filters, question: Question, now: float) -> Filtered:
    """`now` in monotonic seconds."""
    query = _query(question, now)
    steps = []
    for check in filters.checks:
        name = type(check).__name__
        if isinstance(check, RateLimit):
            steps.append(_step(name, "counts this request; what is beyond it is answered 429"))
            continue
        reply = check(query)
        steps.append(_step(name, _answer(reply) if reply else "lets it pass"))
        if reply:
            return Filtered(steps, reply, None)
    if filters.fault is not None:
        steps.append(_step("Fault", _trouble(filters.fault)))
    edited = query.lines
    for edit in filters.edits:
        before, edited = edited, edit(edited)
        steps.append(_step(type(edit).__name__, _edited(before, edited)))
    if filters.cookie is not None and filters.cookie.new(query.lines, lambda: 0.0):
        steps.append(_step("Cookie", "gives the client a cookie, by which it is picked for"))
    backend, shares = _shares(filters)
    if shares:
        steps.append(_step("Split", shares))
    if filters.mirror is not None:
        steps.append(_step("Mirror", f"copies {filters.mirror.share:.4g} of all to {filters.mirror.backend.key}"))
    return Filtered(steps, None, backend)


def _step(name: str, outcome: str) -> dict[str, str]:
    return {"filter": name, "outcome": outcome}


def _query(question: Question, now: float) -> Query:
    return Query(
        method=question.method.encode(),
        target=question.target.encode(),
        host=question.authority.encode("latin-1", "replace"),
        length=0,
        lines=question.head.removesuffix(b"\r\n"),
        client=question.client,
        now=now,
        secure=question.scheme == "https",
    )


def _answer(reply: Reply) -> str:
    details = reply.details or reply.reason.details
    fields = ", ".join(reply.fields.decode("latin-1").split("\r\n")).strip(", ")
    return ": ".join(part for part in (f"answers {reply.reason.status}", details, fields) if part)


def _trouble(fault: Fault) -> str:
    """What befalls the requests that chance picks."""
    abort, delay = fault.abort(0.0), fault.delay(0.0)
    parts = [f"answers {abort.reason.status} to a share"] if abort else []
    parts += [f"delays a share by {delay:g} s"] if delay else []
    return " and ".join(parts) or "does nothing"


def _edited(before: bytes, after: bytes) -> str:
    """The lines that go, and those that come."""
    old, new = (lines.decode("latin-1").split("\r\n") for lines in (before, after))
    gone = [f"- {hidden_line(line)}" for line in old if line not in new]
    come = [f"+ {hidden_line(line)}" for line in new if line not in old]
    return "; ".join([*gone, *come]) or "changes nothing"


def _shares(filters: Filters) -> tuple[Backend | None, str]:
    if filters.split is None:
        return None, ""
    counts = Counter(filters.split.choose(number / SAMPLES) for number in range(SAMPLES))
    ranked: list[tuple[Any, int]] = counts.most_common()
    return ranked[0][0], ", ".join(f"{count * 100 / SAMPLES:g} % to {backend.key}" for backend, count in ranked)
