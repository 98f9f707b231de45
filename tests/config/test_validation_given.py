"""No verdict about a TrafficPolicy rests on a field that could not be read: of all groups, field by field.

A policy is spoiled in one place at a time.  What is still found then, besides that this place cannot be read, must be
found whatever had been written there: it is compared with what is found with other readable values in its stead.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import cache
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from config.loader import load_text
from config.policies import GROUPS, TrafficPolicySpec

WEB = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web"},
    "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80}]},
}
POLICIES: dict[str, dict[str, Any]] = {
    "a section of an Ingress": {"targetRef": {"kind": "Ingress", "name": "web", "sectionName": "99999"}},
    "a section that is none": {"targetRef": {"kind": "Service", "name": "web", "sectionName": "99999"}},
    "a section with a wrong name": {"targetRef": {"kind": "Service", "name": "web", "sectionName": "a b"}},
    "on an Ingress": {
        "targetRef": {"kind": "Ingress", "name": "web"},
        "balancer": {"type": "Random"}, "panic": {"belowPercent": 1}, "failover": {"belowPercent": 1},
        "limits": {"endpoint": {"requests": 1}}, "locality": {"prefer": "Zone"}, "slowStart": {"window": "1s"},
        "ejection": {"connectFailures": 3}, "healthCheck": {"type": "grpc"}, "protocol": "http",
        "tls": {"reencrypt": {"caSecret": "ca"}},
    },
    "protocol tcp": {
        "protocol": "tcp", "balancer": {"type": "Maglev", "hash": {"header": "A"}}, "upgrades": ["x"], "via": False,
        "trace": {"sampledPercent": 1}, "maxRequestBytes": 1, "cors": {"allowOrigins": ["*"]},
        "retries": {"attempts": 1},
    },
    "only for some": {"balancer": {"type": "Random", "choices": 3, "points": 50, "tableSize": 1000, "decay": "1s"}},
    "hash without a key": {"balancer": {"type": "Maglev", "tableSize": 1000, "boundedLoad": 50, "hash": {}}},
    "hash of two": {"balancer": {"type": "RingHash", "hash": {"header": "A", "cookie": "b", "issue": {"ttl": "1ms"}}}},
    "no hash": {"balancer": {"type": "RingHash"}, "slowStart": {"window": 0}},
    "a cookie for everybody": {
        "balancer": {"type": "Maglev", "hash": {"query": "a", "issue": {"path": "x", "sameSite": "None"}}}
    },
    "no decay": {"balancer": {"type": "PeakEWMA", "decay": 0}},
    "checks over http": {
        "healthCheck": {
            "type": "http", "path": "x", "host": "a b", "interval": "1s", "timeout": "2s", "service": "s",
            "expectedStatus": [200, 200, "x"],
        }
    },
    "checks of nothing": {"healthCheck": {"type": "http", "expectedStatus": [], "interval": 0, "timeout": 0}},
    "checks over grpc": {"healthCheck": {"type": "grpc", "path": "/x", "host": "h", "expectedStatus": [204]}},
    "ejection": {"ejection": {"first": "10s", "longest": "5s", "successRate": {"interval": 0}}},
    "queue": {"limits": {"queue": {"length": 5, "deadline": 0}}},
    "retries": {"retries": {"on": ["reset", "500", "reset", "500"], "backoff": {"first": "2s", "longest": "1s"}}},
    "retries of nothing": {"retries": {"attempts": 3, "on": []}},
    "upgrades": {"upgrades": ["a", "b", "A", "h2c", "c d"]},
    "limits of nothing": {"rateLimit": {}},
    "limits": {"rateLimit": {"route": {"requests": 1, "per": 0}, "client": {"requests": 1, "per": 0}, "fields": True}},
    "headers": {
        "headers": {
            "request": {"set": {"A": " x", "a": "y"}, "remove": ["b", "B", "host"]},
            "response": {"add": {"X": "1", "x": "2", "TE": "z"}, "remove": ["c d"]},
        }
    },
    "redirect to itself": {"redirect": {"status": 304}},
    "redirect and more": {
        "redirect": {"path": "/a", "prefix": "/b", "host": "a b"}, "rewrite": {"path": "c", "prefix": "/d"},
        "split": [{"service": "web"}], "mirror": {"service": "web"},
    },
    "rewrite": {"rewrite": {}},
    "split": {
        "split": [
            {"service": "web", "port": 80, "weight": 0}, {"service": "web", "port": 80, "weight": 0},
            {"service": "a b", "port": 99999, "weight": 0}, {"service": "web", "port": "none", "weight": 0},
        ]
    },
    "mirror": {"mirror": {"service": "nobody", "port": "a b", "percent": 5}},
    "mirror to a port": {"mirror": {"service": "web", "port": 81}},
    "fault": {"fault": {}},
    "cors": {
        "cors": {
            "allowOrigins": ["*", "https://a/b"], "allowCredentials": True, "allowMethods": ["GET", "GET", "a b"],
            "allowHeaders": ["A", "a"], "exposeHeaders": ["x y"], "maxAge": "1s",
        }
    },
    "cors for nobody": {"cors": {"allowOrigins": []}},
    "access": {"access": {"allow": ["10.0.0.0/8", "10.0.0.0/8", "10.0.0.1/8"], "deny": ["x", "x"]}},
    "proxy protocol": {
        "proxyProtocol": {"send": "v2", "acceptFrom": ["192.0.2.1", "192.0.2.1", "y"]}, "tls": {"reencrypt": {}},
    },
    "reencryption": {"tls": {"reencrypt": {"verify": False, "caSecret": "ca", "serverName": "a b"}}},
    "a signer that is missing": {"tls": {"reencrypt": {"caSecret": "ca"}, "httpsRedirect": True, "passthrough": True}},
    "scaling": {
        "scaling": {"minReplicas": 5, "maxReplicas": 2, "window": "1s", "scaleDownDelay": "2h", "target": 5},
    },
    "trace and others": {
        "timeouts": {"idle": "5s"}, "trace": {"sampledPercent": 5}, "maxRequestBytes": 5, "via": True
    },
}  # fmt: skip
"""Each says something that is wrong, or that has no effect."""

Place = tuple[str | int, ...]
SPEC = inspect.type_info(TrafficPolicySpec)


def faults(spec: dict[str, Any]) -> set[tuple[str, str]]:
    policy = {"apiVersion": "weft.dev/v1", "kind": "TrafficPolicy", "metadata": {"name": "policy"}, "spec": spec}
    text = "\n---\n".join(json.dumps(each) for each in (WEB, policy))
    found = load_text(text, "given.yaml").faults
    return {(each.path, each.message) for each in found if each.object is not None and each.object.kind != "Service"}


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """Every field and item."""
    if at:
        yield at
    entries: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in entries:
        yield from places(item, (*at, key))


def unreadable(at: Place) -> Any:
    """What cannot be read there."""
    return ["no", "such"] if isinstance(type_at(at), inspect.StructType | inspect.DictType) else {"no": "such"}


def fields_of(spec: dict[str, Any], beside: bool) -> Iterator[Place]:
    """Every place that is written, the fields beside those within groups, and the groups `beside` them."""
    yield from places(spec)
    for at in [*([()] if beside else []), *places(spec)]:
        struct = type_at(at)
        if isinstance(struct, inspect.StructType):
            written = value_at(spec, at)
            yield from ((*at, field.encode_name) for field in struct.fields if field.encode_name not in written)


def value_at(spec: Any, at: Place) -> Any:
    for step in at:
        spec = spec[step]
    return spec


@cache
def type_at(at: Place) -> inspect.Type:
    info: inspect.Type = SPEC
    for step in at:
        info = bare(info)
        match info:
            case inspect.StructType(fields=fields):
                info = next(field.type for field in fields if field.encode_name == step)
            case inspect.VarTupleType(item_type=item):
                info = item
            case inspect.DictType(value_type=item):
                info = item
    return bare(info)


def bare(info: inspect.Type) -> inspect.Type:
    while isinstance(info, inspect.Metadata):
        info = info.type
    if isinstance(info, inspect.UnionType):
        others = [each for each in info.types if not isinstance(each, inspect.NoneType)]
        return bare(others[0]) if len(others) == 1 else inspect.IntType()
    return info


def readable(at: Place) -> list[Any]:
    """Values that can stand there."""
    match type_at(at):
        case inspect.LiteralType(values=values):
            return list(values)
        case inspect.BoolType():
            return [True, False]
        case inspect.IntType(ge=low):
            return [low or 1, 97, 150]
        case inspect.FloatType():
            return ["0s", "1s", "1h"] if "percent" not in str(at[-1]).lower() else [1, 50]
        case inspect.StrType():
            return ["", "web", "/a", "Other", "10.9.0.0/16", "https://other"]
        case inspect.VarTupleType():
            return [[]]
        case _:
            return [{}]


def put(spec: dict[str, Any], at: Place, value: Any) -> dict[str, Any]:
    made = deepcopy(spec)
    value_at(made, at[:-1])[at[-1]] = value
    return made


def without(spec: dict[str, Any], at: Place) -> dict[str, Any]:
    made = deepcopy(spec)
    if isinstance(type_at(at[:-1]), inspect.StructType):  # an entry of a map or a list says something by being there
        value_at(made, at[:-1]).pop(at[-1], None)
    return made


def path_of(at: Place) -> str:
    return "spec" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in at)


@pytest.mark.parametrize("name", POLICIES)
def test_nothing_rests_on_what_could_not_be_read(name: str, size: Callable[[int, int], int]) -> None:
    spec = {"targetRef": {"kind": "Service", "name": "web"}} | POLICIES[name]
    whole = faults(spec)
    assert whole or name.startswith("trace"), "a policy in which nothing is wrong shows nothing"
    few, stride = size(1, 100), size(15, 1)
    spots = list(enumerate(fields_of(spec, beside=few > 2)))
    for turn, at in spots[len(name) % min(stride, len(spots)) :: stride]:
        spoiled = faults(put(spec, at, unreadable(at)))
        assert any(path.startswith(path_of(at)) and "expected" in message for path, message in spoiled), path_of(at)
        secondary = {fault for fault in spoiled if not fault[0].startswith(path_of(at))}
        others = [spec, without(spec, at), *(put(spec, at, value) for value in readable(at))]
        for other in rotated(others, turn)[: few if secondary else 0]:
            resting = secondary - faults(other)
            assert not resting, f"{path_of(at)} could not be read; this rests on it: {resting}"


def rotated(items: list[Any], by: int) -> list[Any]:
    by %= len(items)
    return items[by:] + items[:by]


def test_all_groups_are_gone_over() -> None:
    names = {field.name: field.encode_name for field in msgspec.structs.fields(TrafficPolicySpec)}
    said = {group for spec in POLICIES.values() for group in spec}
    assert {names[group] for group in GROUPS} <= said
