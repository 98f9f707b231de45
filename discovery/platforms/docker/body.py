"""A container of a pod template as the engine is asked to create it (POST /containers/create, Engine API 1.41).  Pure.

Kubernetes' ``command`` is the image's entrypoint, ``args`` its command; limits are enforced, and a requested share
of a processor becomes a weight.  The image's own HEALTHCHECK is switched off: probes decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from config.quantity import parse_quantity
from config.resources.workloads import Container
from discovery.endpoint import ReplicaPort
from discovery.platforms.docker.mark import Mark
from discovery.platforms.environment import expand

NANO = 1_000_000_000
LEAST_SHARES = 2


LOG_LIMITS = {"json-file": {"max-size": "10m", "max-file": "5"}}
"""By driver, as kubelet's; that driver has none of its own, and the others keep elsewhere or within bounds."""


def body(
    mark: Mark, variables: Mapping[str, str], *, hostname: str, beside: str = "", log_driver: str = ""
) -> dict[str, Any]:
    """`beside`: the id of a container whose network it shares: then it has no host name of its own."""
    spec = mark.spec
    made: dict[str, Any] = {
        "Image": spec.image,
        "Env": [f"{name}={value}" for name, value in variables.items()],
        "Labels": mark.labels(),
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": {
            "NetworkMode": f"container:{beside}" if beside else mark.network,
            "RestartPolicy": {"Name": "no"},
            **_resources(spec),
        },
    }
    if log_driver in LOG_LIMITS:
        made["HostConfig"]["LogConfig"] = {"Type": log_driver, "Config": LOG_LIMITS[log_driver]}
    if not beside:
        made["Hostname"] = hostname
        made["ExposedPorts"] = {f"{port.container_port}/{port.protocol.lower()}": {} for port in spec.ports}
    if spec.command:
        made["Entrypoint"] = [expand(word, variables) for word in spec.command]
    if spec.args or spec.command:  # with a command of the manifest's, the image's own arguments do not count
        made["Cmd"] = [expand(word, variables) for word in spec.args]
    if spec.working_dir:
        made["WorkingDir"] = spec.working_dir
    return made


def ports_of(spec: Container) -> list[ReplicaPort]:
    """A container listens where its manifest says: it has a network of its own."""
    return [ReplicaPort(each.container_port, each.container_port, each.name, each.protocol) for each in spec.ports]


def _resources(spec: Container) -> dict[str, int]:
    limits, requests = spec.resources.limits, {**spec.resources.limits, **spec.resources.requests}
    made: dict[str, int] = {}
    if "cpu" in limits:
        made["NanoCpus"] = round(parse_quantity(limits["cpu"]) * NANO)
    if "memory" in limits:
        made["Memory"] = made["MemorySwap"] = round(parse_quantity(limits["memory"]))  # both together: no swap
    if "cpu" in requests:
        made["CpuShares"] = max(LEAST_SHARES, round(parse_quantity(requests["cpu"]) * 1024))
    return made
