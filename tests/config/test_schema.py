"""The schema takes what is read and refuses what editors can know to be wrong; judged by a small validator."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.configset import API_VERSIONS, KINDS
from config.schema import DIALECT, schema
from tests.policy.source import ROOT

WHOLE = schema()
TYPES = {
    "object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float),
    "null": type(None),
}  # fmt: skip


def faults(value: Any, said: Any, root: dict[str, Any], path: str = "") -> Iterator[str]:
    """What draft 7 says is wrong, for the words that our schemas use."""
    for word, argument in said.items():
        match word:
            case "$ref":
                target: Any = root
                for name in argument.removeprefix("#").split("/")[1:]:
                    target = target[name]
                yield from faults(value, target, root, path)
            case "type":
                if not any(_is(value, name) for name in ([argument] if isinstance(argument, str) else argument)):
                    yield f"{path}: {value!r} is not {argument}"
            case "enum":
                if value not in argument:
                    yield f"{path}: {value!r} is not one of {argument}"
            case "const":
                if value != argument:
                    yield f"{path}: {value!r} is not {argument}"
            case "required":
                if isinstance(value, dict):
                    yield from (f"{path}: {name} is missing" for name in argument if name not in value)
            case "properties":
                for name in argument.keys() & (value.keys() if isinstance(value, dict) else set()):
                    yield from faults(value[name], argument[name], root, f"{path}.{name}")
            case "additionalProperties":
                for name in (value.keys() if isinstance(value, dict) else set()) - said.get("properties", {}).keys():
                    if argument is False:
                        yield f"{path}: {name} is unknown"
                    else:
                        yield from faults(value[name], argument, root, f"{path}.{name}")
            case "items":
                for number, item in enumerate(value if isinstance(value, list) else ()):
                    yield from faults(item, argument, root, f"{path}[{number}]")
            case "minimum" | "maximum":
                number = isinstance(value, int | float) and not isinstance(value, bool)
                if number and (value < argument if word == "minimum" else value > argument):
                    yield f"{path}: {value} is beyond {argument}"
            case "pattern":
                if isinstance(value, str) and not re.search(argument, value):
                    yield f"{path}: {value!r} does not look like {argument}"
            case "allOf":
                for each in argument:
                    yield from faults(value, each, root, path)
            case "anyOf":
                found = [list(faults(value, each, root, path)) for each in argument]
                yield from min(found, key=len) if all(found) else ()
            case "if":
                if not list(faults(value, argument, root, path)):
                    yield from faults(value, said["then"], root, path)
            case "then" | "$schema" | "title" | "definitions" | "description":
                continue
            case _:
                raise AssertionError(f"the validator does not know {word}")


def _is(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    if name == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, TYPES[name])  # type: ignore[arg-type]


def documents(path: Path) -> list[Any]:
    return [each for each in yaml.safe_load_all(path.read_text()) if each]


FILES = [ROOT / "tests/config/everything.yaml", *sorted((ROOT / "examples").rglob("*.yaml"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_is_valid_is_let_pass(path: Path) -> None:
    for document in documents(path):
        assert list(faults(document, WHOLE, WHOLE)) == []


def policy(**spec: Any) -> dict[str, Any]:
    target = {"kind": "Service", "name": "shop"}
    return {
        "apiVersion": "weft.dev/v1", "kind": "TrafficPolicy", "metadata": {"name": "p"},
        "spec": {"targetRef": target, **spec},
    }  # fmt: skip


def service(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": spec}


RIGHT = {
    "durations": policy(timeouts={"idle": "1m30s", "connect": 0, "request": "0"}),
    "words that are numbers": policy(retries={"on": [503, "502", "reset"]}),
    "a group without a value": policy(retries=None),
    "a port by name": policy(split=[{"service": "a", "port": "http"}, {"service": "b", "port": 80}]),
    "a field that is not used": service(ports=[{"port": 80}], clusterIPs=[], ipFamilies=["IPv4"]),
    "durations of all sorts": policy(timeouts={"idle": ".5s", "connect": "+1h2m3.5s", "request": "-0"}),
    "another kind": {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "x"}, "spec": {"anything": 1}},
    "a list": {"apiVersion": "v1", "kind": "List", "items": [service(ports=[{"port": 80}])]},
    "a status": {**service(ports=[{"port": 80}]), "status": {"loadBalancer": {}}},
}  # fmt: skip

WRONG = {
    "unknown field of ours": (policy(timeout={}), "timeout is unknown"),
    "unknown field inside": (policy(timeouts={"idel": "1s"}), "idel is unknown"),
    "unknown field of Kubernetes": (service(port=80), "port is unknown"),
    "no duration": (policy(timeouts={"idle": "1 minute"}), "does not look like"),
    "a number for a duration": (policy(timeouts={"idle": 5}), "5 is beyond 0"),
    "no such word": (policy(balancer={"type": "Fastest"}), "is not one of"),
    "out of range": (policy(retries={"attempts": 99}), "99 is beyond 10"),
    "text for a number": (service(ports=[{"port": "80"}]), "'80' is not"),
    "port 0": (service(ports=[{"port": 0}]), "0 is beyond 1"),
    "a mapping for a list": (service(ports={"port": 80}), "is not"),
    "what must be there": (service(ports=[{"name": "a"}]), "port is missing"),
    "no target": ({**policy(), "spec": {}}, "targetRef is missing"),
    "no metadata": ({"apiVersion": "v1", "kind": "Service"}, "metadata is missing"),
    "no kind": ({"apiVersion": "v1"}, "kind is missing"),
    "a kind of ours that is not": ({"apiVersion": "weft.dev/v1", "kind": "Nope"}, "'Nope' is not one of"),
    "in a list": ({"apiVersion": "v1", "kind": "List", "items": [service(port=1)]}, "port is unknown"),
    "no quantity": (
        {
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "a"},
            "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "a"}, "maxReplicas": 2, "metrics": [
                {"type": "Pods", "pods": {"metric": {"name": "m"}, "target": {"type": "Value", "averageValue": "x"}}},
            ]},
        },
        "does not look like",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_right(name: str) -> None:
    assert list(faults(RIGHT[name], WHOLE, WHOLE)) == []


@pytest.mark.parametrize("name", WRONG)
def test_wrong(name: str) -> None:
    document, says = WRONG[name]
    assert any(says in fault for fault in faults(document, WHOLE, WHOLE)), list(faults(document, WHOLE, WHOLE))


def test_it_is_json_of_a_dialect_that_editors_know() -> None:
    assert json.loads(json.dumps(WHOLE))["$schema"] == DIALECT


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_in_it(kind: str) -> None:
    only = schema((kind,))
    bare = {"apiVersion": API_VERSIONS[kind], "kind": kind, "metadata": {"name": "a"}, "unknown": 1}
    assert any("unknown is unknown" in fault for fault in faults(bare, only, only))


def test_fields_of_ours_say_what_they_are() -> None:
    timeouts = WHOLE["definitions"]["TimeoutPolicy"]["properties"]
    assert timeouts["request"]["description"] == "For the whole exchange, retries and both bodies included."


def test_every_reference_leads_somewhere() -> None:
    for name in re.findall(r'"#/definitions/([^"]+)"', json.dumps(WHOLE)):
        assert WHOLE["definitions"][name]
