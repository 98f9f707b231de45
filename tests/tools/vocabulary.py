"""Writes config/vocabulary.json from the models of the PyPI package `kubernetes` (`make vocabulary`).

The package's models are generated from Kubernetes' OpenAPI document: each states its fields' JSON names and types.
Only types that the kinds of `config.configset.KINDS` reach are kept; of all other kinds only the names.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from pathlib import Path
from types import ModuleType
from typing import Any

from config.configset import API_VERSIONS

TARGET = Path(__file__).parents[2] / "config" / "vocabulary.json"
SCALARS = {"str": "text", "datetime": "text", "bytes": "text", "int": "number", "float": "number", "bool": "boolean"}
OPAQUE = {"status", "managedFields"}
"""Fields that the server writes: what is in them does not matter."""

_RESOURCE = re.compile(r"resource_path='/(?:api|apis/(?P<group>[\w.-]+))/(?P<version>v\w+)/(?P<rest>[^']*)'")
_COLLECTION = re.compile(r"(?:namespaces/\{namespace\}/)?[a-z]+(?:/\{name\}/[a-z]+)?")
_CREATED = re.compile(r"'201': \"(\w+)\"")
_VERSION_PREFIX = re.compile(r"^(?:[A-Z][a-z]+)?V\d+(?:(?:alpha|beta)\d+)?")


def models() -> dict[str, Any]:
    """Every model class of the package by name."""
    package = importlib.import_module("kubernetes.client.models")
    return {
        name: value
        for module in _modules(package)
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__ and hasattr(value, "openapi_types")
    }


def _modules(package: ModuleType) -> list[ModuleType]:
    names = [info.name for info in pkgutil.iter_modules(package.__path__)]
    return [importlib.import_module(f"{package.__name__}.{name}") for name in names]


def kinds(known: dict[str, Any]) -> dict[str, dict[str, str]]:
    """apiVersion to kind to model, from what each API path creates."""
    found: dict[str, dict[str, str]] = {}
    for module in _modules(importlib.import_module("kubernetes.client.api")):
        source = Path(str(module.__file__)).read_text(encoding="utf-8")
        for operation in source.split("\n    def create_")[1:]:
            resource, created = _RESOURCE.search(operation), _CREATED.search(operation)
            if not resource or not created or not _COLLECTION.fullmatch(resource["rest"]):
                continue
            model = created[1]
            if {"kind", "metadata"} <= set(getattr(known.get(model), "openapi_types", ())):
                version = f"{resource['group']}/{resource['version']}" if resource["group"] else resource["version"]
                found.setdefault(version, {})[_VERSION_PREFIX.sub("", model)] = model
    return found


def shape(annotation: str) -> str:
    """``List[V1Volume]`` as ``[]V1Volume``, ``Dict[str, bytes]`` as ``{}text``, ``object`` as ``any``."""
    if listed := re.fullmatch(r"List\[(.+)\]", annotation):
        return "[]" + shape(listed[1])
    if mapped := re.fullmatch(r"Dict\[str, (.+)\]", annotation):
        return "{}" + shape(mapped[1])
    return SCALARS.get(annotation, "any" if annotation == "object" else annotation)


def fields(model: Any) -> dict[str, str]:
    """JSON name to shape."""
    shapes = {model.attribute_map[attribute]: shape(text) for attribute, text in model.openapi_types.items()}
    return {name: "any" if name in OPAQUE else shapes[name] for name in sorted(shapes)}


def vocabulary() -> dict[str, Any]:
    known = models()
    by_version = kinds(known)
    roots = {kind: by_version[version][kind] for kind, version in API_VERSIONS.items() if version in by_version}
    types: dict[str, dict[str, str]] = {}
    waiting = [*roots.values()]
    while waiting:
        name = waiting.pop()
        if name in known and name not in types:
            types[name] = fields(known[name])
            waiting.extend(
                text.removeprefix("[]").removeprefix("{}").removeprefix("[]") for text in types[name].values()
            )
    names = {version: sorted(of_version) for version, of_version in sorted(by_version.items())}
    release = importlib.import_module("kubernetes").__version__
    return {
        "source": f"PyPI kubernetes {release}",
        "roots": dict(sorted(roots.items())),
        "kinds": names,
        "types": dict(sorted(types.items())),
    }


def render(data: dict[str, Any]) -> str:
    """JSON with one line per type, so that a new release shows as a readable difference."""

    def section(entries: dict[str, Any]) -> str:
        lines = [f"{json.dumps(key)}: {json.dumps(value, separators=(',', ':'))}" for key, value in entries.items()]
        return "{\n" + ",\n".join(lines) + "\n}"

    parts = [f'"source": {json.dumps(data["source"])}']
    parts += [f'"{name}": {section(data[name])}' for name in ("roots", "kinds", "types")]
    return "{" + ",\n".join(parts) + "}\n"


if __name__ == "__main__":
    TARGET.write_text(render(vocabulary()), encoding="utf-8")
    print(f"wrote {TARGET.name}: {len(TARGET.read_text())} bytes")
