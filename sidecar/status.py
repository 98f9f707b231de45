"""What ``weft status`` shows: a table of Services, what is missing, and what is not in force."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from sidecar.options import Address
from sidecar.terminal import Painter
from sidecar.traffic import PortKey, Rate

JSONObject = Mapping[str, Any]

HEADINGS = ("SERVICE", "TYPE", "ADDRESS", "PORT", "READY", "REQ/S", "P99", "SERVED AT")

NODE_HEADINGS = ("NODE", "ROLE", "STATE", "SERIAL", "LAG", "HEARD", "VERSION")

INGRESS_HEADINGS = ("INGRESS", "HOST", "SERVED AT")

ROLLOUT_HEADINGS = ("DEPLOYMENT", "READY", "UP-TO-DATE", "AVAILABLE", "REVISION", "ROLLOUT")

DEPARTS = "undone, rolled back: the template in force is not the manifest's, until that is another"

MOST_FAULTS = 10

MOST_HOSTS = 20


class Report(NamedTuple):
    """One look at a weft, from its admin API."""

    services: Sequence[JSONObject]
    ready: JSONObject
    rates: Sequence[Rate]
    remarks: Sequence[JSONObject]
    read: JSONObject
    """When the manifests were read the last time, and how that went."""
    faults: Sequence[JSONObject]
    """What was found wrong in them then."""
    dns: JSONObject = MappingProxyType({})
    """Where the cluster's names are served, and which Services have endpoints of other DNS servers."""
    nodes: JSONObject = MappingProxyType({})
    """The nodes of this registry, and drains that not all of them confirmed; empty where there is none."""
    ingresses: Sequence[JSONObject] = ()
    """Hosts of Ingresses, and where they are served."""
    rollouts: Sequence[JSONObject] = ()
    """Deployments that run here, and how far each is."""
    platforms: Sequence[JSONObject] = ()
    """Who really runs replicas, such as a Docker Engine, and whether it is there."""
    cut_off: str = ""
    """Why there is no connection to the registry, which has manifests; empty where there is one, or is to be none."""

    def as_json(self) -> JSONObject:
        return {
            "ready": self.ready,
            "services": self.services,
            "traffic": [rate.as_json() for rate in self.rates],
            "remarks": self.remarks,
            "read": self.read,
            "faults": self.faults,
            "dns": self.dns,
            "nodes": self.nodes.get("nodes", ()),
            "unconfirmed": self.nodes.get("unconfirmed", ()),
            "ingresses": self.ingresses,
            "rollouts": self.rollouts,
            "platforms": self.platforms,
            "cutOff": self.cut_off,
        }

    def render(self, paint: Painter) -> str:
        """The text for people."""
        by_port = {(rate.namespace, rate.service, rate.port): rate for rate in self.rates}
        rows = [row for service in self.services for row in service_rows(service, by_port)]
        lines = table((HEADINGS, *rows), paint) if rows else ["no services"]
        if self.ingresses:
            lines += ["", *ingress_lines(self.ingresses, paint)]
        if self.rollouts:
            lines += ["", *table((ROLLOUT_HEADINGS, *map(rollout_row, self.rollouts)), paint)]
            if any(told.get("departs") for told in self.rollouts):
                lines.append(paint("yellow", DEPARTS))
        if self.platforms:
            lines += ["", *(line for each in self.platforms for line in platform_lines(each, paint))]
        if self.dns:
            lines += ["", *dns_lines(self.dns, paint)]
        if self.cut_off:
            lines += ["", paint("yellow", f"no connection to the registry's channel (--join): {self.cut_off}")]
        if self.nodes.get("nodes"):
            lines += ["", *node_lines(self.nodes, paint)]
        if not self.ready["ready"]:
            lines += ["", paint("yellow", "not ready:")]
            lines += [f"  {item['what']}: {item['why']}" for item in self.ready["missing"]]
        if self.remarks:
            lines += ["", paint("yellow", "remarks:")]
            lines += [remark_line(item) for item in self.remarks]
        for severity, colour in (("error", "red"), ("warning", "yellow")):
            if faults := [fault for fault in self.faults if fault["severity"] == severity]:
                lines += ["", paint(colour, f"{severity}s in the manifests, as read at {self.read['at']}:")]
                lines += [fault_line(fault) for fault in faults[:MOST_FAULTS]]
                lines += [f"  ... and {len(faults) - MOST_FAULTS} more"] if len(faults) > MOST_FAULTS else []
        return "\n".join(lines)


def ingresses(objects: Iterable[JSONObject]) -> list[JSONObject]:
    """Of the objects of ``/api/v1/config``: each host of an Ingress, and where it is to be dialled."""
    return [
        {"namespace": item["namespace"], "name": item["name"], "host": host, "servedAt": _places(item["status"])}
        for item in objects
        if item["kind"] == "Ingress"
        for host in dict.fromkeys(rule.get("host", "") for rule in item["object"]["spec"].get("rules") or [{}])
    ]


def _places(status: JSONObject) -> list[str]:
    return [f"{port['protocol']}://{Address(*key[:2])}" for port in status.get("ports", ()) for key in port["listens"]]


def ingress_lines(hosts: Sequence[JSONObject], paint: Painter) -> Iterator[str]:
    """A row for each host, up to a bound; ``*`` is any."""
    rows = [
        (f"{each['namespace']}/{each['name']}", each["host"] or "*", " ".join(each["servedAt"]) or "-")
        for each in hosts[:MOST_HOSTS]
    ]
    yield from table((INGRESS_HEADINGS, *rows), paint)
    if len(hosts) > MOST_HOSTS:
        yield f"... and {len(hosts) - MOST_HOSTS} more"


def rollout_row(told: JSONObject) -> tuple[str, ...]:
    """A Deployment as kubectl lists it, its revision, and what is said of its progress."""
    said = next((each["reason"] for each in told["conditions"] if each["type"] == "Progressing"), "-")
    return (
        f"{told['namespace']}/{told['name']}",
        f"{told['ready']}/{told['replicas']}",
        str(told["updated"]),
        str(told["available"]),
        str(told["revision"]),
        ", ".join([said, *(["rolled back"] if told["rolledBack"] else ["undone"] if told.get("departs") else [])]),
    )


def platform_lines(platform: JSONObject, paint: Painter) -> Iterator[str]:
    """Where replicas are, since when that is only what was known last, and what else is to be said, up to a bound."""
    line = f"{platform['name']} at {platform['host']}: {platform['replicas']} replicas"
    since = f" since {platform['since']}" if platform["since"] else ""
    yield line if platform["connected"] else paint("yellow", f"{line}, stale{since}: {platform['reason']}")
    remarks = platform["remarks"]
    yield from (paint("yellow", f"  {remark}") for remark in remarks[:MOST_FAULTS])
    if len(remarks) > MOST_FAULTS:
        yield f"  ... and {len(remarks) - MOST_FAULTS} more"


def node_lines(nodes: JSONObject, paint: Painter) -> Iterator[str]:
    """A row for each node, and who did not confirm a drain the last time."""
    yield from table((NODE_HEADINGS, *map(_node_row, nodes["nodes"])), paint)
    for drain in nodes["unconfirmed"][-1:]:
        missing = ", ".join(drain["nodes"])
        yield paint("yellow", f"serial {drain['serial']} was not confirmed in time by {missing}, at {drain['at']}")


def _node_row(node: JSONObject) -> tuple[str, ...]:
    known = "address" in node
    return (
        node["name"],
        node["role"] or "-" if known else "-",
        "connected" if node["connected"] else "registered" if node["leased"] else "gone",
        str(node["serial"]) if known and node["serial"] is not None else "-",
        str(node["lag"]) if known and node["lag"] is not None else "-",
        f"{node['lastContactSeconds']:.0f}s" if known else "-",
        node["version"] or "-" if known else "-",
    )


def dns_lines(dns: JSONObject, paint: Painter) -> Iterator[str]:
    """Where DNS is served or why it is not, and the Services whose endpoints DNS does not tell."""
    yield f"DNS at {dns['served']}" if dns["served"] else paint("yellow", f"DNS is not served: {dns['note']}")
    for name, zone in dns.get("zones", {}).items():
        if "registry" in zone:
            yield registry_line(zone, paint)
        if zone.get("expirySuspended"):
            yield paint("yellow", expiry_line(name, zone))
    for source in dns["sources"]:
        if source["failure"]:
            name = f"{source['namespace']}/{source['service']}"
            yield paint("yellow", f"  Service {name}: {source['type']}: {source['failure']}")


def expiry_line(name: str, zone: JSONObject) -> str:
    """That leases do not end in time, and what to do about that."""
    return (
        f"expiry of {name} is stopped: {zone['silentRecords']} records are silent, too many at once: proxies rely on"
        " their own checks; bring their nodes back, or delete by nsupdate what is to go before it is forgotten"
    )


def registry_line(zone: JSONObject, paint: Painter) -> str:
    """Which registry is followed, and how old what is known of it is."""
    age = zone["age"]
    heard = "never heard" if age is None else f"heard {age:.1f} s ago"
    line = f"registry {zone['registry']}: serial {zone['serial']}, {heard}, {zone['registered']} records registered"
    problem = "; ".join(dict.fromkeys(filter(None, (zone["failure"], zone["registering"]))))
    if not (zone["stale"] or age is None or problem):
        return line
    return paint("yellow", f"{line}{'; stale' if zone['stale'] else ''}{f': {problem}' if problem else ''}")


def remarks(objects: Iterable[JSONObject]) -> list[JSONObject]:
    """Of the objects of ``/api/v1/config``, those that are not wholly in force, or not where they were meant to be."""
    wanted = ("kind", "namespace", "name", "source", "status")
    return [{key: item[key] for key in wanted} for item in objects if item["status"]["reasons"]]


def remark_line(item: JSONObject) -> str:
    status = item["status"]
    name = "/".join(part for part in (item["namespace"], item["name"]) if part)
    return f"  {item['kind']} {name}: {status['state']}: {'; '.join(status['reasons'])}"


def fault_line(fault: JSONObject) -> str:
    parts = (fault["source"], fault["object"], fault["path"], fault["message"])
    return "  " + ": ".join(part for part in parts if part)


def service_rows(service: JSONObject, rates: Mapping[PortKey, Rate]) -> Iterator[tuple[str, ...]]:
    """One row for each port of a Service, as ``/api/v1/services`` gives it."""
    endpoints = service["endpoints"]
    for port in service["ports"] or [{"name": "", "port": "", "nodePort": None, "protocol": "", "listens": []}]:
        key = service["namespace"], service["name"], port["name"] or str(port["port"])
        rate = rates.get(key)
        yield (
            f"{service['namespace']}/{service['name']}",
            service["type"],
            service["clusterIP"] or "-",
            port_text(port),
            f"{endpoints['ready']}/{endpoints['total']}",
            rate_text(rate),
            latency_text(rate.p99_seconds if rate else None),
            " ".join(port["listens"]) or "-",
        )


def port_text(port: JSONObject) -> str:
    """As kubectl writes it: ``http:80:30080/TCP``."""
    parts = [str(part) for part in (port["name"], port["port"], port["nodePort"]) if part]
    return ":".join(parts) + f"/{port['protocol']}" if parts else "-"


def rate_text(rate: Rate | None) -> str:
    if rate is None:
        return "-"
    return f"{rate.requests_per_second or rate.connections_per_second:.1f}"


def latency_text(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds * 1000:.1f}ms" if seconds < 1 else f"{seconds:.2f}s"


def table(rows: Sequence[tuple[str, ...]], paint: Painter) -> list[str]:
    """Columns as wide as their longest cell; the first row is the heading."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [paint("bold", lines[0]), *lines[1:]]
