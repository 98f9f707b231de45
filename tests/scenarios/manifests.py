"""Manifests of scenarios as plain objects, and folders of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.scenarios.weft import Network

APPLICATION = Path(__file__).with_name("application.py")
PORTS = {"http": 8080, "tcp": 9090}
IMAGE = "application"
IMAGES = {IMAGE: [sys.executable, "-S", str(APPLICATION)]}
"""The interpreter itself: what is found on PATH may be a script that takes longer than the program."""


def service(name: str, ports: Mapping[str, int] = PORTS, *, app: str = "", kind: str = "ClusterIP") -> dict[str, Any]:
    """A Service of named ports; `app` is the label that it selects, nothing for one of EndpointSlices."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {
            "type": kind,
            **({"selector": {"app": app}} if app else {}),
            "ports": [{"name": port, "port": number} for port, number in ports.items()],
        },
    }


def deployment(name: str, replicas: int, probed: bool = True, **environment: str) -> dict[str, Any]:
    """A Deployment of tests/scenarios/application.py, labelled ``app: NAME``; `probed`: with a readiness probe."""
    container: dict[str, Any] = {
        "name": "main",
        "image": IMAGE,
        "env": [{"name": key, "value": value} for key, value in environment.items()],
        "ports": [{"name": port, "containerPort": number} for port, number in PORTS.items()],
    }
    if probed:
        action = {"path": "/healthz", "port": "http"}
        container["readinessProbe"] = {"httpGet": action, "periodSeconds": 1, "failureThreshold": 1}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}},
        },
    }


def endpoint_slice(name: str, ports: Mapping[str, int], *addresses: str) -> dict[str, Any]:
    """An EndpointSlice of the Service `name`."""
    suffix = "-".join(map(str, ports.values()))
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "addressType": "IPv4",
        "metadata": {"name": f"{name}-{suffix}", "labels": {"kubernetes.io/service-name": name}},
        "ports": [{"name": port, "port": number} for port, number in ports.items()],
        "endpoints": [{"addresses": [address]} for address in addresses or ("127.0.0.1",)],
    }


def policy(service_name: str, **spec: object) -> dict[str, Any]:
    """A TrafficPolicy of a Service."""
    return {
        "apiVersion": "weft.dev/v1",
        "kind": "TrafficPolicy",
        "metadata": {"name": service_name},
        "spec": {"targetRef": {"kind": "Service", "name": service_name}, **spec},
    }


def ingress(name: str, host: str, to: str) -> dict[str, Any]:
    """An Ingress that sends all paths of `host` to the port `http` of a Service."""
    backend = {"service": {"name": to, "port": {"name": "http"}}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name},
        "spec": {
            "rules": [{"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]
        },
    }


def listed(network: Network, *objects: Mapping[str, Any]) -> str:
    """One document with all `objects`, and the NodeConfig of `network`."""
    node = network.node_config(IMAGES)
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": [*objects, node]})


def write(folder: Path, network: Network, *objects: Mapping[str, Any]) -> Path:
    """A new folder with these manifests."""
    folder.mkdir()
    (folder / "manifests.json").write_text(listed(network, *objects))
    return folder
