"""Why a request goes where it goes: the whole way of one request through the routing table, as plain data.

Nothing is sent and nothing changes: rules are tried by their own words, and the balancer is looked at without
taking anybody's turn.  The same is done beside a running data plane and, with manifests only, without one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from config.encode import encode
from config.meta import Named, ObjectKey
from config.resources.core import ServicePort
from mesh.access_log import AccessRecord
from mesh.backend import Backend
from mesh.compiler import Compiled
from mesh.listener import ListenerState
from mesh.matcher import Matcher
from mesh.node_health import local_endpoints
from mesh.outgoing import Manners
from mesh.reasons import DENIED, NO_ENDPOINTS
from mesh.table import Listener, ListenerKey, Route
from mesh.tls.names import Passage
from mesh.trials import Trial, trials
from mesh.unmatched import looked_for
from sidecar.doors import note
from sidecar.explain.endpoints import endpoint_verdicts
from sidecar.explain.filters import explain_filters
from sidecar.explain.listener import Place, certificate, find_listener, refused_at
from sidecar.explain.pick import explain_pick
from sidecar.explain.question import Question
from sidecar.redaction import shown

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
    listener = found.listener
    told: Explanation = {
        "request": _request(question),
        "listener": _listener(listener, known) if listener else None,
        "remark": found.remark,
        "reached": False,
    }
    if listener is None:
        return told | {"verdict": f"no connection: {found.remark}"}
    refusal = refused_at(listener, question)
    if refusal:
        return told | {"verdict": f"no connection: {refusal}"}
    if listener.entry == "HealthCheck":
        return told | {"verdict": _health(listener)}
    return _at_listener(told, listener, question, known)


def _at_listener(told: Explanation, listener: Listener, question: Question, known: Known) -> Explanation:
    """From a listener on that takes the connection: by its certificates, by its rules, or straight."""
    if listener.tls is not None:
        told["certificate"] = certificate(listener.tls, question)
        relayed = listener.tls.match(question.host_name.lower())
        if isinstance(relayed, Passage):
            if relayed.filters is not None and not relayed.filters.admits(question.client):
                return told | {"verdict": f"no connection: {DENIED.details}"}
            return _to_backend(told, relayed.backend, None, question, known)
    if listener.routes is None:
        return _along(told, listener.route, question, known)
    host, target = question.host_name.encode(), question.target.encode()
    tried = list(explain_rules(listener.routes, host, target))
    told["rules"] = _rules(tried)
    told["ruleCount"] = len(listener.routes.rules)
    route = listener.routes.match(host, target)
    if route is None:
        return told | {"verdict": f"404: {looked_for(host, target)}"}
    owner = next((trial.rule.owner for trial in tried if trial.won), "")
    ingress = Named(*f"{owner.removeprefix('Ingress ')}/".split("/")[:2])
    told["policies"] = list(_policies("Ingress", ingress, "", known.compiled))
    return _along(told, route, question, known)


def _health(listener: Listener) -> str:
    count = local_endpoints(listener.route.backend.plan)
    status = 200 if count else 503
    return f"{status}: a healthCheckNodePort, where weft itself says how many endpoints of this node are ready: {count}"


def _along(told: Explanation, route: Route, question: Question, known: Known) -> Explanation:
    """From a route on: through its filters to its Backend."""
    backend = route.backend
    if route.filters is not None:
        filtered = explain_filters(route.filters, question, known.now)
        told["filters"] = filtered.steps
        if filtered.reply is not None:
            reply = filtered.reply
            return told | {"verdict": f"{reply.reason.status}: {reply.details or reply.reason.details or 'by policy'}"}
        backend = filtered.backend or backend
    if backend is not route.backend:
        key = route.backend.key
        split = _policies("Service", Named(key.namespace, key.service), key.port, known.compiled)
        told["policies"] = [*told.get("policies", []), *split]
    manner = route.manner or route.backend.plan if question.scheme in ("http", "https") else None
    return _to_backend(told, backend, manner, question, known)


def _to_backend(
    told: Explanation, backend: Backend, manner: Manners | None, question: Question, known: Known
) -> Explanation:
    of_route = told.get("policies", [])
    told |= explain_backend(backend, known, manner)
    told["policies"] = [*of_route, *told["policies"]]
    told["pick"] = explain_pick(backend, question)
    told["reached"] = bool(backend.eligible)
    return told | {"verdict": _verdict(told)}


def explain_backend(backend: Backend, known: Known, manner: Manners | None = None) -> Explanation:
    """What a request meets that has come as far as this Backend; `manner` is that of its route, if it has one."""
    plan, in_flight = backend.plan, backend.stats.in_flight
    manner = manner or plan
    timeouts = replace(manner.timeouts, connect=plan.timeouts.connect)  # whichever way it came
    retries = manner.retries
    service = Named(backend.key.namespace, backend.key.service)
    allowed = max(retries.budget_least, in_flight * retries.budget_percent // 100)
    return {
        "backend": backend.key._asdict(),
        "policies": list(_policies("Service", service, backend.key.port, known.compiled)),
        "endpoints": endpoint_verdicts(backend, known.now),
        "endpointCount": len(backend.endpoints),
        "lack": "" if backend.eligible else _lack(backend),
        "refusal": None if backend.eligible else backend.vacancy.status,
        "wakes": not backend.eligible and backend.wakeable and not backend.held,
        "balancer": encode(plan.balancer) | {"type": plan.balancer.type},
        "timeouts": _all_fields(timeouts),
        "retries": _all_fields(retries)
        | {"running": backend.retry_budget.running, "left": max(allowed - backend.retry_budget.running, 0)},
        "limits": _limits(backend),
        "inFlight": in_flight,
    }


def _lack(backend: Backend) -> str:
    why = "" if backend.vacancy is NO_ENDPOINTS else backend.vacancy.details
    if not backend.wakeable:
        return why
    if backend.held:
        return f"{why or NO_ENDPOINTS.details}; no request wakes it: {backend.held}"
    return f"{why}; a request wakes it" if why else "its first replica is starting"


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
    return told | {"reached": not record.reason, "verdict": _past(record)}


def _past(record: AccessRecord) -> str:
    """What became of it, in a few words."""
    if record.protocol == "http":
        by = f"by the proxy ({record.reason})" if record.reason else f"by {record.endpoint}"
        return f"was answered {record.status} {by}"
    to = f"was relayed to {record.endpoint}" if record.endpoint else "was refused"
    return f"{to} ({record.reason})" if record.reason else to


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


def explain_rules(routes: Matcher[Route], host: bytes, target: bytes) -> Iterator[Trial[Route]]:
    """As `Matcher.explain`, in a time that hardly grows: of the rules for other hosts only some are tried."""
    name = host.decode("latin-1").lower().removesuffix(".")
    near = ("", name, f"*.{name.partition('.')[2]}")
    tried = [rule for rule in routes.rules if rule.host in near]
    far = islice((rule for rule in routes.rules if rule.host not in near), MOST_LOST_RULES)
    return trials([*tried, *far], routes.losses, host, target)


def _rules(tried: list[Trial[Any]]) -> list[dict[str, Any]]:
    shown = [trial for trial in tried if trial.won] + [trial for trial in tried if not trial.won][:MOST_LOST_RULES]
    return [{"rule": str(trial.rule), "owner": trial.rule.owner, "won": trial.won, "why": trial.why} for trial in shown]


def _policies(kind: str, target: Named, port: str, compiled: Compiled) -> Iterator[dict[str, Any]]:
    """The TrafficPolicies that name an object, or a port of it, and what they say."""
    part = compiled.parts.get(target)
    names = {name for each in (part.service.spec.ports if part else ()) if each.key == port for name in _names(each)}
    for key, policy in compiled.config_set.policies.items():
        wanted = policy.spec.target_ref
        aimed = (wanted.kind, key.namespace, wanted.name) == (kind, *target)
        if aimed and wanted.section_name in ("", *names):
            source = compiled.config_set.sources.get(ObjectKey("TrafficPolicy", *key), "")
            said = {name: value for name, value in shown(policy)["spec"].items() if name != "targetRef"}
            yield {
                "namespace": key.namespace,
                "name": key.name,
                "source": str(source),
                "target": str(ObjectKey(kind, *target)),
                "port": wanted.section_name,
                "says": said,
            }


def _names(port: ServicePort) -> tuple[str, ...]:
    """What a policy may call a port."""
    return (port.name, str(port.port))


def _all_fields(struct: msgspec.Struct) -> dict[str, Any]:
    """Defaults too, which `msgspec.to_builtins` leaves out of manifests."""
    fields = msgspec.structs.fields(struct)
    return {field.encode_name: msgspec.to_builtins(getattr(struct, field.name)) for field in fields}


def _verdict(told: Explanation) -> str:
    where = "{namespace}/{service}:{port}".format_map(told["backend"])
    if told["reached"] and not told["pick"]["address"]:
        return f"goes to an endpoint of {where} that is drawn by lot"
    if told["pick"]["address"]:
        return f"goes to {told['pick']['address']} of {where}"
    if told["wakes"]:
        return f"waits: {where} has no endpoint yet: {told['lack']}"
    if not told["endpointCount"]:
        return f"{told['refusal']}: {where} has no endpoint" + (f": {told['lack']}" if told["lack"] else "")
    return f"503: none of the {told['endpointCount']} endpoints of {where} may be picked"
