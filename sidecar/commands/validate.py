"""``weft validate PATH...``: every fault of manifests, without running anything.

Text is one line per fault and a summary (`sidecar.findings`).  ``--json`` prints one object, of this shape::

    {"objects": 3, "errors": 1, "warnings": 0, "notices": 0, "faults": [
        {"severity": "error", "file": "web.yaml", "line": 12, "column": 11, "kind": "Service", "namespace": "default",
         "name": "web", "path": "spec.ports[0].targetPort", "message": "..."}]}

The exit code is 1 when there is an error, else 0.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from config.configset import ConfigSet, Loaded
from config.errors import Fault
from config.meta import ObjectKey
from sidecar.errors import FAILURE
from sidecar.findings import SEVERITIES, Findings, lines, summary
from sidecar.options import read_path
from sidecar.terminal import Painter


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "validate",
        help="every fault of manifests, with file and line",
        description="Reads manifests as weft up does and prints all that is wrong with them.  Exit code 1 on errors.",
    )
    parser.add_argument(
        "paths", nargs="+", type=read_path, metavar="PATH",
        help="a file, a folder of YAML and JSON files, or - for standard input",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    findings = examine(args.paths)
    if args.json:
        print(json.dumps(as_json(findings), indent=2))
    else:
        paint = Painter(sys.stdout)
        print("\n".join([*lines(findings, paint), summary(findings, paint)]))
    return FAILURE if findings.count("error") else 0


def examine(paths: list[Path]) -> Findings:
    """Read `paths` and give out addresses, as ``weft up`` would on an empty state folder."""
    # The YAML parser is needed by this command only.
    from config.loader import load
    from discovery.allocation import allocate
    from discovery.assignments import Assignments
    from discovery.platforms.making import known

    def beyond(loaded: Loaded) -> Iterator[Fault]:
        yield from allocate(loaded.config_set, Assignments()).faults
        wrong = {fault.object.kind for fault in loaded.faults if fault.severity == "error" and fault.object}
        if "NodeConfig" not in wrong:  # else its images are not known
            yield from _without_command(loaded.config_set)

    loaded = load(paths, platforms=known(), beyond=beyond)
    faults = loaded.faults
    objects = {*loaded.config_set.sources, *(fault.object for fault in faults if fault.object)}
    return Findings(tuple(sorted(faults, key=lambda fault: fault.source)), len(objects))


def _without_command(config_set: ConfigSet) -> Iterator[Fault]:
    """What cannot run as a process here, though it may elsewhere."""
    from discovery.platforms.commands import NoCommand, command_of

    registry = config_set.node.registry
    of_registry = (registry.keys or registry.etcd.endpoints) and not registry.servers  # which runs nothing itself
    if of_registry or tuple(config_set.node.platforms) != ("process",):
        return
    for named, deployment in config_set.deployments.items():
        key = ObjectKey("Deployment", *named)
        for index, container in enumerate(deployment.spec.template.spec.containers):
            try:
                command_of(container, config_set.node.images, Path(), Path())
            except NoCommand as lack:
                path = f"spec.template.spec.containers[{index}].image"
                yield Fault("warning", config_set.sources[key], str(lack), key, path)


def as_json(findings: Findings) -> dict[str, Any]:
    counts = {f"{severity}s": findings.count(severity) for severity in SEVERITIES}
    return {"objects": findings.objects, **counts, "faults": [_fault_as_json(fault) for fault in findings.faults]}


def _fault_as_json(fault: Fault) -> dict[str, Any]:
    kind, namespace, name = fault.object or ("", "", "")
    return {
        "severity": fault.severity,
        "file": fault.source.file,
        "line": fault.source.line,
        "column": fault.source.column,
        "kind": kind,
        "namespace": namespace,
        "name": name,
        "path": fault.path,
        "message": fault.message,
    }
