"""Cases of validation: a small manifest, and exactly the faults that it has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from config.errors import Fault
from config.loader import load
from config.validation import NO_PLATFORMS

Expected = tuple[str, str, str]


class Case(NamedTuple):
    name: str
    text: str
    expected: tuple[Expected, ...]
    """Severity, path, and a part of the message of every fault; empty: nothing is wrong."""


def case(name: str, text: str, *expected: Expected) -> Case:
    return Case(name, text, expected)


def error(path: str, words: str) -> Expected:
    return ("error", path, words)


def warning(path: str, words: str) -> Expected:
    return ("warning", path, words)


def table(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=[each.name for each in cases])


def faults_of(text: str, folder: Path, platforms: Mapping[str, bool] = NO_PLATFORMS) -> list[Fault]:
    """Errors and warnings of a stream of manifests."""
    file = folder / "m.yaml"
    file.write_text(text)
    return [fault for fault in load([file], platforms=platforms).faults if fault.severity != "notice"]


def check(case: Case, folder: Path, platforms: Mapping[str, bool] = NO_PLATFORMS) -> None:
    """The faults are those of the case, no more and no less, and each has a place and an object."""
    found = faults_of(case.text, folder, platforms)
    listing = "\n".join(f"{fault.severity} {fault}" for fault in found)
    places = sorted((fault.severity, fault.path) for fault in found)
    assert places == sorted(each[:2] for each in case.expected), listing
    for severity, path, words in case.expected:
        assert any((severity, path) == (each.severity, each.path) and words in each.message for each in found), listing
    for fault in found:
        assert fault.object is not None
        assert fault.source.file == str(folder / "m.yaml")


def document(kind: str, body: str, name: str = "web", version: str = "v1") -> str:
    """One document; `body` is what follows the metadata."""
    return f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}}}\n{body}\n---\n"


def endpoints_of(service: str) -> str:
    """An EndpointSlice, so that nobody warns of a Service without endpoints."""
    return (
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
        f"metadata: {{name: {service}-1, labels: {{kubernetes.io/service-name: {service}}}}}\n"
        "addressType: IPv4\nendpoints: [{addresses: [127.0.0.1]}]\nports: [{port: 8080, name: http}]\n---\n"
    )


def service(spec: str, name: str = "web") -> str:
    return document("Service", f"spec: {spec}", name) + endpoints_of(name)


def deployment(container: str = "{}", name: str = "web", spec: str = "", pod: str = "") -> str:
    """A Deployment of one container, `container` being a flow mapping without name and image."""
    inner = container.strip()[1:-1].strip()
    rest = f", {inner}" if inner else ""
    return (
        f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n"
        f"  selector: {{matchLabels: {{app: {name}}}}}\n"
        f"  template: {{metadata: {{labels: {{app: {name}}}}}, "
        f"spec: {{containers: [{{name: main, image: shop/{name}:v1{rest}}}]{pod}}}}}\n"
        f"{spec}\n---\n"
    )


def ingress(spec: str, name: str = "web", annotations: str = "{}") -> str:
    return (
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\n"
        f"metadata: {{name: {name}, annotations: {annotations}}}\nspec: {spec}\n---\n"
    )


def node(spec: str) -> str:
    return document("NodeConfig", f"spec: {spec}", "laptop", "weft.dev/v1")
