"""Objects in force, as the admin API lists them: found by what people call their kind, and shown as a table.

Kinds go by their names in any case, by their plurals, and by kubectl's short names.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from config.configset import API_VERSIONS, KINDS
from config.meta import ObjectKey
from config.suggestions import did_you_mean
from sidecar.filled import filled
from sidecar.status import port_text

SHORT: Mapping[str, str] = {
    "svc": "Service",
    "ep": "Endpoints",
    "eps": "EndpointSlice",
    "cm": "ConfigMap",
    "ns": "Namespace",
    "deploy": "Deployment",
    "ing": "Ingress",
    "hpa": "HorizontalPodAutoscaler",
    "policy": "TrafficPolicy",
    "policies": "TrafficPolicy",
    "node": "NodeConfig",
}
REPLICAS = frozenset({"po", "pod", "pods", "replica", "replicas", "rs", "replicaset", "replicasets"})
"""What is no object of a manifest: it is shown by the endpoints that it is."""
_WITH_STATUS = frozenset({"Service", "Namespace", "Deployment", "Ingress", "HorizontalPodAutoscaler"})
"""Kinds that have a status in Kubernetes, where its readers pass over what they do not know."""
Item = Mapping[str, Any]
Column = tuple[str, Callable[[Item], str]]


class Unknown(ValueError):
    """Nothing is called that; the message says what is."""


def kind_of(word: str, *, one: bool = False) -> str:
    """The kind that `word` means; empty: all of them, unless it must be `one`.  Raises `Unknown`."""
    if word.lower() == "all" and not one:
        return ""
    names = {name: kind for kind in KINDS for name in (kind.lower(), *_plurals(kind.lower()))} | dict(SHORT)
    if word.lower() in names:
        return names[word.lower()]
    there = f"there are {', '.join(KINDS)}{'' if one else ', or all'}"
    raise Unknown(f'no kind is called "{word}"{did_you_mean(word, tuple(KINDS)) or "; " + there}')


def split(word: str, name: str) -> tuple[str, str]:
    """A kind and a name, written apart or as one word, ``svc/web``; raises nothing, since neither is looked up."""
    kind, slash, behind = word.partition("/")
    return (kind, behind) if slash and not name else (word, name)


def _plurals(name: str) -> tuple[str, ...]:
    return (f"{name}s", f"{name}es", f"{name[:-1]}ies")


def endpoint_rows(endpoints: Iterable[Item]) -> list[tuple[str, ...]]:
    """A heading and a row for each of ``/api/v1/endpoints``."""
    heading = "NAMESPACE", "SERVICE", "PORT", "ENDPOINT", "STATE", "REPLICA", "NODE"
    return [heading, *(tuple(str(cell) or "-" for cell in _endpoint_cells(each)) for each in endpoints)]


def _endpoint_cells(each: Item) -> tuple[object, ...]:
    state = "terminating" if each["terminating"] else "ready" if each["ready"] else "not ready"
    host = f"[{each['address']}]" if ":" in each["address"] else each["address"]
    return (
        each["namespace"], each["service"], each["servicePort"], f"{host}:{each['port']}", state, each["replica"],
        each["node"],
    )  # fmt: skip


def key_of(item: Item) -> ObjectKey:
    return ObjectKey(item["kind"], item["namespace"], item["name"])


def chosen(items: Iterable[Item], kind: str, namespace: str, name: str) -> list[Item]:
    """Those of `items` that are meant; an empty word means any.  Raises `Unknown` for a name that is not there."""
    of_kind = [item for item in items if not kind or item["kind"] == kind]
    there = [item for item in of_kind if not namespace or item["namespace"] in (namespace, "")]
    found = [item for item in there if not name or item["name"] == name]
    if name and not found:
        raise Unknown(absent(kind or "object", name, namespace, [item["name"] for item in there]))
    return sorted(found, key=key_of)


def absent(kind: str, name: str, namespace: str, names: Iterable[str]) -> str:
    """That there is none of that name, and which of `names` may be meant."""
    where = f" in namespace {namespace}" if namespace else ""
    return f'{kind} "{name}" not found{where}{did_you_mean(name, sorted(set(names) - {""}))}'


def manifest(item: Item) -> dict[str, Any]:
    """As it could be written in a file, with what became of it as its status if its kind has one."""
    kind = item["kind"]
    status = {name: said for name, said in item["status"].items() if said} if kind in _WITH_STATUS else {}
    made = {"apiVersion": API_VERSIONS[kind], "kind": kind, **filled(kind, item["object"])}
    if kind == "Secret" and "data" in made:  # what is shown instead of a value is to be as readable as the value
        made["data"] = {name: b64encode(said.encode()).decode() for name, said in made["data"].items()}
    return made | ({"status": status} if status else {})


def manifests(items: Sequence[Item], name: str) -> dict[str, Any]:
    """As kubectl prints them: the object alone that was asked for by `name`, else a List."""
    if name and len(items) == 1:
        return manifest(items[0])
    return {"apiVersion": "v1", "kind": "List", "items": [manifest(item) for item in items]}


def rows(items: Sequence[Item], kind: str) -> list[tuple[str, ...]]:
    """A heading and a row for each; of a single kind with what matters most about it."""
    columns = (*_ALWAYS, *_SPECIAL.get(kind, ()), *_LAST) if kind else (_KIND, *_ALWAYS, *_LAST)
    return [tuple(name for name, _ in columns), *(tuple(show(item) or "-" for _, show in columns) for item in items)]


def _spec(item: Item) -> Mapping[str, Any]:
    spec: Mapping[str, Any] = item["object"].get("spec", {})
    return spec


def _ports(item: Item) -> str:
    defaults = {"name": "", "nodePort": None, "protocol": "TCP"}
    return " ".join(port_text(defaults | port) for port in _spec(item).get("ports", ()))


def _hosts(item: Item) -> str:
    return " ".join(dict.fromkeys(rule.get("host", "*") for rule in _spec(item).get("rules", ())))


def _target(item: Item) -> str:
    target = _spec(item)["targetRef"]
    section = f":{target['sectionName']}" if target.get("sectionName") else ""
    return f"{target['kind']}/{target['name']}{section}"


_KIND: Column = ("KIND", lambda item: str(item["kind"]))
_ALWAYS: tuple[Column, ...] = (
    ("NAMESPACE", lambda item: str(item["namespace"])),
    ("NAME", lambda item: str(item["name"])),
)
_LAST: tuple[Column, ...] = (
    ("STATE", lambda item: str(item["status"]["state"])),
    ("SOURCE", lambda item: str(item["source"])),
)
_SPECIAL: Mapping[str, tuple[Column, ...]] = {
    "Service": (
        ("TYPE", lambda item: str(_spec(item).get("type", "ClusterIP"))),
        ("CLUSTER-IP", lambda item: str(_spec(item).get("clusterIP", ""))),
        ("PORTS", _ports),
    ),
    "Deployment": (("REPLICAS", lambda item: str(_spec(item).get("replicas", 1))),),
    "Ingress": (("CLASS", lambda item: str(_spec(item).get("ingressClassName", ""))), ("HOSTS", _hosts)),
    "TrafficPolicy": (
        ("TARGET", _target),
        ("SAYS", lambda item: " ".join(name for name in _spec(item) if name != "targetRef")),
    ),
    "Secret": (
        ("TYPE", lambda item: str(item["object"].get("type", "Opaque"))),
        ("KEYS", lambda item: " ".join([*item["object"].get("data", {}), *item["object"].get("stringData", {})])),
    ),
}
