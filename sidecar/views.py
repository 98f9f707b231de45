"""What the admin API says: documents made from what runs.  Listings are iterators, made as they are sent.

``/api/v1/services`` is a contract (see README): namespace, name, type, clusterIP, ports with the addresses that
are really bound, and how many endpoints there are and are ready.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import msgspec

from config.errors import Fault
from config.meta import Named, ObjectKey
from config.resources.core import Service, ServicePort
from discovery.catalog import PortEndpoints
from discovery.endpoint import Endpoint
from sidecar.documents import Answer, Document
from sidecar.logs import timestamp
from sidecar.redaction import Hide, hidden, shown
from sidecar.standing import Standing


def answers(running: Standing, hide: Hide) -> dict[str, Answer]:
    """What the admin server says in every role, by path; `hide`: what is shown of a value that is secret."""
    return {
        "/healthz": healthz,
        "/readyz": partial(readyz, running),
        "/api/v1/services": partial(services, running),
        "/api/v1/endpoints": partial(endpoints, running),
        "/api/v1/config": partial(config, running, hide),
    }


def healthz() -> tuple[int, Document]:
    """The process's event loop turns: this answer is the proof."""
    return 200, {"ok": True}


def readyz(running: Standing) -> tuple[int, Document]:
    missing = [item._asdict() for item in running.missing()]
    return (503 if missing else 200), {"ready": not missing, "missing": missing}


def services(running: Standing) -> tuple[int, Document]:
    services = running.config_set.services
    there = running.snapshot.services
    return 200, {
        "services": (
            _service(named, services[named], there.get(named, {}), running.listens(named)) for named in sorted(services)
        )
    }


def endpoints(running: Standing) -> tuple[int, Document]:
    services = running.snapshot.services
    return 200, {
        "generation": running.snapshot.generation,
        "endpoints": (
            _endpoint(named, port, endpoint)
            for named in sorted(services)
            for port, there in services[named].items()
            for endpoint in there
        ),
    }


def config(running: Standing, hide: Hide = hidden) -> tuple[int, Document]:
    """`hide`: what is shown of a value that is secret."""
    return 200, {
        "read": {"at": timestamp(running.reloads.at), "successful": running.reloads.successful},
        "objects": _objects(running, hide),
        "faults": (_fault(fault) for fault in running.faults),
    }


def _service(named: Named, service: Service, there: PortEndpoints, listens: Mapping[str, list[str]]) -> dict[str, Any]:
    return {
        "namespace": named.namespace,
        "name": named.name,
        "type": service.spec.type,
        "clusterIP": service.spec.cluster_ip,
        "ports": [_port(port, listens.get(port.key, [])) for port in service.spec.ports],
        "endpoints": _count(there),
    }


def _port(port: ServicePort, listens: list[str]) -> dict[str, Any]:
    return {
        "name": port.name,
        "port": port.port,
        "nodePort": port.node_port or None,
        "protocol": port.protocol,
        "listens": listens,
    }


def _count(ports: PortEndpoints) -> dict[str, int]:
    """A replica behind several ports counts once, and as ready when it is so on all of them.

    A port that nothing listens on at all says nothing about the replicas.
    """
    ready = [sum(endpoint.ready for endpoint in there) for there in ports.values() if there]
    return {"ready": min(ready, default=0), "total": max(map(len, ports.values()), default=0)}


def _endpoint(named: Named, port: str, endpoint: Endpoint) -> dict[str, Any]:
    return {
        "namespace": named.namespace,
        "service": named.name,
        "servicePort": port,
        "address": endpoint.address,
        "port": endpoint.port,
        "ready": endpoint.ready,
        "serving": endpoint.serving,
        "terminating": endpoint.terminating,
        "replica": endpoint.replica_id,
        "workload": str(ObjectKey(*endpoint.workload)) if endpoint.workload else "",
        "node": endpoint.node,
        "zone": endpoint.zone,
        "tier": endpoint.tier,
        "weight": endpoint.weight,
    }


def _objects(running: Standing, hide: Hide) -> Iterator[dict[str, Any]]:
    for key, source in running.config_set.sources.items():
        item = running.config_set.get(key)
        yield {
            "kind": key.kind,
            "namespace": key.namespace,
            "name": key.name,
            "source": str(source),
            "status": {"reasons": (), **msgspec.to_builtins(running.status(key))},
            "object": shown(item, hide),
        }


def _fault(fault: Fault) -> dict[str, Any]:
    return {
        "severity": fault.severity,
        "source": str(fault.source),
        "object": str(fault.object) if fault.object else "",
        "path": fault.path,
        "message": fault.message,
    }
