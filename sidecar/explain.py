"""Why a request goes where it goes: the whole way of one request through the routing table, as plain data.

Nothing is sent and nothing changes: rules are tried by their own words, and the balancer is looked at without
taking anybody's turn.  The same is done beside a running data plane and, with manifests only, without one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from config.encode import encode
from config.meta import Named, ObjectKey
from mesh.access_log import AccessRecord
from mesh.attachment import port_policy
from mesh.backend import Backend
from mesh.compiler import Compiled
from mesh.listener import ListenerState
from mesh.table import Listener, ListenerKey, Route
from mesh.trials import Trial
from mesh.unmatched import looked_for
from sidecar.doors import note
from sidecar.explain_endpoints import endpoint_verdicts
from sidecar.explain_listener import Place, find_listener
from sidecar.explain_pick import explain_pick
from sidecar.explain_question import Question

Explanation = dict[str, Any]
MOST_LOST_RULES = 100
"""Rules that are shown beside the one that won, those first that count more."""


class Known(NamedTuple):
    """What an explanation is made of."""

    compiled: Compiled
    states: Mapping[ListenerKey, ListenerState]
    """Empty where nothing runs."""
    now: float
    """By the clock of the Backends."""
    running: bool = True


def explain(question: Question, known: Known) -> Explanation:
    """The way of a request, as far as it comes; ``verdict`` says in one sentence where that is."""
    compiled = known.compiled
    found = find_listener(question, Place(compiled.table, known.states, compiled.config_set))
    told: Explanation = {
        "request": _request(question),
        "listener": _listener(found.listener, known) if found.listener else None,
        "remark": found.remark,
    }
    if found.listener is None:
        return told | {"reached": False, "verdict": f"no connection: {found.remark}"}
    route: Route | None = found.listener.route
    if found.listener.routes is not None:
        host, target = question.host_name.encode(), question.target.encode()
        route = found.listener.routes.match(host, target)
        told["rules"] = _rules(list(found.listener.routes.explain(host, target)))
    if route is None:
        return told | {"reached": False, "verdict": f"404: {looked_for(host, target)}"}
    told |= explain_backend(route.backend, known)
    told["pick"] = explain_pick(route.backend, question)
    return told | {"reached": bool(route.backend.eligible), "verdict": _verdict(told)}


def explain_backend(backend: Backend, known: Known) -> Explanation:
    """What a request meets that has come as far as this Backend."""
    plan, in_flight = backend.plan, backend.stats.in_flight
    allowed = max(plan.retries.budget_least, in_flight * plan.retries.budget_percent // 100)
    return {
        "backend": backend.key._asdict(),
        "policies": _policies(backend, known.compiled),
        "endpoints": endpoint_verdicts(backend, known.now),
        "balancer": encode(plan.balancer) | {"type": plan.balancer.type},
        "timeouts": _all_fields(plan.timeouts),
        "retries": _all_fields(plan.retries)
        | {"running": backend.retry_budget.running, "left": max(allowed - backend.retry_budget.running, 0)},
        "limits": _limits(backend),
        "inFlight": in_flight,
    }


def _limits(backend: Backend) -> dict[str, Any] | None:
    if backend.plan.limits is None:
        return None
    waiting = len(backend.limits) if backend.limits is not None else 0
    said: dict[str, Any] = encode(backend.plan.limits)
    return said | {"waiting": waiting}


def explain_record(record: AccessRecord, backend: Backend | None, known: Known) -> Explanation:
    """What became of an exchange that is over, and how its Backend stands now."""
    told: Explanation = {"exchange": msgspec.to_builtins(record)}
    if backend is not None:
        told |= explain_backend(backend, known)
    by = f"by the proxy ({record.reason})" if record.reason else f"by {record.endpoint}"
    return told | {"reached": not record.reason, "verdict": f"was answered {record.status} {by}"}


def _request(question: Question) -> dict[str, Any]:
    return {
        "method": question.method,
        "scheme": question.scheme,
        "host": question.authority,
        "target": question.target,
        "headers": [list(header) for header in question.headers],
    }


def _listener(listener: Listener, known: Known) -> dict[str, Any]:
    state = known.states.get(listener.key)
    return {
        "wanted": str(listener.key),
        "served": str(state.bound) if state and state.bound else "",
        "entry": listener.entry,
        "protocol": listener.protocol,
        "note": note(listener.key, state) if known.running else "nothing runs: these are the manifests alone",
    }


def _rules(trials: list[Trial[Any]]) -> list[dict[str, Any]]:
    shown = [trial for trial in trials if trial.won] + [trial for trial in trials if not trial.won][:MOST_LOST_RULES]
    return [{"rule": str(trial.rule), "owner": trial.rule.owner, "won": trial.won, "why": trial.why} for trial in shown]


def _policies(backend: Backend, compiled: Compiled) -> list[dict[str, Any]]:
    """The TrafficPolicies of the Service, and what those that hold say."""
    key = backend.key
    part = compiled.parts.get(Named(key.namespace, key.service))
    if part is None:
        return []
    sources = compiled.config_set.sources
    ports = [port for port in part.service.spec.ports if port.key == key.port]
    held = [port_policy(port, (policy,)).said for port in ports for policy in part.policies]
    return [
        {
            "name": policy.metadata.name,
            "namespace": policy.metadata.namespace,
            "source": str(sources.get(ObjectKey("TrafficPolicy", policy.metadata.namespace, policy.metadata.name), "")),
            "port": policy.spec.target_ref.section_name,
            "says": {name: value for name, value in encode(said).items() if name != "targetRef"},
        }
        for policy, said in zip(part.policies, held, strict=False)
    ]


def _all_fields(struct: msgspec.Struct) -> dict[str, Any]:
    """Defaults too, which `msgspec.to_builtins` leaves out of manifests."""
    fields = msgspec.structs.fields(struct)
    return {field.encode_name: msgspec.to_builtins(getattr(struct, field.name)) for field in fields}


def _verdict(told: Explanation) -> str:
    where = "{namespace}/{service}:{port}".format_map(told["backend"])
    if any(endpoint["eligible"] for endpoint in told["endpoints"]) and not told["pick"]["address"]:
        return f"goes to an endpoint of {where} that is drawn by lot"
    if told["pick"]["address"]:
        return f"goes to {told['pick']['address']} of {where}"
    if not told["endpoints"]:
        return f"503: {where} has no endpoint"
    return f"503: none of the {len(told['endpoints'])} endpoints of {where} may be picked"
