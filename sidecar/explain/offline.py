"""What an explanation is made of when nothing runs: manifests, compiled as they would be at a start."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from config.configset import ConfigSet
from config.errors import Fault
from config.meta import Named, matches
from discovery.catalog import Catalog
from discovery.sources import manifest
from mesh.compiler import compile as compile_table
from mesh.live import Live
from sidecar.explain.explanation import Explanation, Known, explain
from sidecar.explain.question import Question
from sidecar.reader import decide

ZERO = 0.0


class Manifests(NamedTuple):
    known: Known
    faults: tuple[Fault, ...]


def known_from(paths: Sequence[Path], state: Path) -> Manifests:
    """Read `paths` as a start would: who has something in force by the state folder keeps it, addresses too."""
    loaded = decide(paths, state.resolve()).loaded
    config_set = loaded.config_set
    catalog = Catalog()
    catalog.define(config_set.services)
    catalog.put_endpoints("manifest", manifest.endpoints(config_set))
    compiled = compile_table(config_set, catalog.snapshot, None, Live(lambda: ZERO))
    for key, backend in compiled.backends.items():
        backend.apply(compiled.table.backends[key])
    return Manifests(Known(compiled, {}, ZERO, running=False), loaded.faults)


def explain_offline(question: Question, known: Known) -> Explanation:
    """As `explain`; where endpoints would be replicas, which manifests alone do not have, it says whose."""
    told = explain(question, known)
    if told.get("endpoints") or "backend" not in told:
        return told
    backend, config_set = told["backend"], known.compiled.config_set
    named = Named(backend["namespace"], backend["service"])
    service = config_set.services.get(named)
    if service is not None and service.spec.type == "ExternalName":
        name = service.spec.external_name
        return told | {"reached": True, "verdict": f"would go to an address of {name}, if that name resolves then"}
    behind = _workloads_behind(config_set, named)
    if not behind:
        return told
    where = "{namespace}/{service}:{port}".format_map(backend)
    verdict = f"would go to a replica behind {where}, once it runs and is ready"
    return told | {"absent": behind, "reached": True, "verdict": verdict}


def _workloads_behind(config_set: ConfigSet, named: Named) -> list[str]:
    """Deployments whose replicas would be endpoints of a Service."""
    service = config_set.services.get(named)
    if service is None or not service.spec.selector:
        return []
    return [
        f"Deployment {name} would have {deployment.spec.replicas} of them"
        for name, deployment in config_set.deployments.items()
        if name.namespace == named.namespace
        and matches(service.spec.selector, deployment.spec.template.metadata.labels)
    ]
