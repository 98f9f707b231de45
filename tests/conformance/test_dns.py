"""DNS contracts: Kubernetes' DNS-based service discovery (schema 1.1.0), and what clients of other systems expect.

From manifests (dns.yaml) to answers on the wire; dnspython judges every message.
"""

from __future__ import annotations

import asyncio
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import dns.flags
import dns.message
import pytest
from msgspec.structs import replace

from discovery.registry.responder import Responder
from discovery.registry.serials import Serials
from discovery.registry.service_names import POSITIVE_TTL
from discovery.registry.zone import NEGATIVE_TTL, Zone
from sidecar.dns import NodeDNS
from tests.discovery.objects import replica
from tests.discovery.registry.making import ask, existing, query, rcode, values, view, written
from tests.discovery.registry.servers import response, upstream

NOT_HERE = (
    ("search list and ndots of a pod's resolver", "replicas are processes with the machine's resolver"),
    ("names under .consul, .mesos, of Docker, of Cloud Map", "read as sources; served is Kubernetes' schema"),
    ("pod records in the modes `disabled` and `insecure`", "one mode, CoreDNS' `verified`"),
    ("endpoints named by pod name (CoreDNS' option)", "the default: hostname, else the address with dashes"),
    ("NXDOMAIN for ClusterIPs without endpoints (CoreDNS' option)", "the default: the address"),
)  # fmt: skip

Z = "cluster.local"
MANIFESTS = Path(__file__).with_name("dns.yaml")
PTR6 = "1.0.0.0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa"


class Row(NamedTuple):
    name: str
    """Without the domain, unless it ends with a dot."""
    kind: str
    values: list[str]
    """With ``@`` for the domain."""
    rcode: str = "NOERROR"


def denied(name: str, kind: str = "A") -> Row:
    return Row(name, kind, [], "NXDOMAIN")


ROWS = {
    "dns-version is a TXT of the schema's version": Row("dns-version", "TXT", ['TXT "1.1.0"']),
    "names compare whatever their case": Row("PLAIN.Default.SVC", "A", ["A 127.96.1.1"]),
    "ClusterIP: A for each IPv4 address, without any endpoint": Row("plain.default.svc", "A", ["A 127.96.1.1"]),
    "ClusterIP: AAAA for each IPv6 address": Row("plain.default.svc", "AAAA", ["AAAA fd00::1:1"]),
    "ClusterIP: SRV per named port, priority weight port target": Row(
        "_http._tcp.plain.default.svc", "SRV", ["SRV 0 100 80 plain.default.svc.@"]
    ),
    "SRV has the Service's port, not the target port": Row(
        "_dns._udp.plain.default.svc", "SRV", ["SRV 0 100 53 plain.default.svc.@"]
    ),
    "SRV: the protocol is part of the name": denied("_http._udp.plain.default.svc", "SRV"),
    "an unnamed port has no SRV": denied("_80._tcp.unnamed.default.svc", "SRV"),
    "nor is there any name beneath its protocol": denied("_tcp.unnamed.default.svc", "SRV"),
    "ClusterIP: PTR under in-addr.arpa": Row("1.1.96.127.in-addr.arpa.", "PTR", ["PTR plain.default.svc.@"]),
    "ClusterIP: PTR under ip6.arpa, by nibbles": Row(f"{PTR6}.", "PTR", ["PTR plain.default.svc.@"]),
    "reverse names compare whatever their case": Row(
        f"{PTR6.upper()}.", "PTR", ["PTR plain.default.svc.@"]
    ),
    "headless: an address per ready endpoint; ready absent is ready, terminating is not": Row(
        "deep.default.svc", "A", ["A 127.97.0.1", "A 127.97.0.2", "A 127.97.0.5", "A 127.97.0.6"]
    ),
    "headless: AAAA of IPv6 endpoints": Row("six.default.svc", "AAAA", ["AAAA fd00::2:1"]),
    "headless, of two families: A": Row("dual.default.svc", "A", ["A 127.97.3.1"]),
    "headless, of two families: AAAA": Row("dual.default.svc", "AAAA", ["AAAA fd00::3:1"]),
    "a hostname of two families has both": Row("db-0.dual.default.svc", "AAAA", ["AAAA fd00::3:1"]),
    "headless: no endpoint ready is NXDOMAIN": denied("none-ready.default.svc"),
    "headless: no endpoint ready is NXDOMAIN for SRV too": denied("_pg._tcp.none-ready.default.svc", "SRV"),
    "an endpoint is named by its hostname": Row("db-0.deep.default.svc", "A", ["A 127.97.0.1"]),
    "and then not by its address": denied("127-97-0-1.deep.default.svc"),
    "without hostname by its address with dashes": Row("127-97-0-2.deep.default.svc", "A", ["A 127.97.0.2"]),
    "one record per address of a hostname": Row("twin.deep.default.svc", "A", ["A 127.97.0.5", "A 127.97.0.6"]),
    "an endpoint that is not ready has no name": denied("127-97-0-3.deep.default.svc"),
    "a terminating endpoint has no name, ready or not": denied("127-97-0-4.deep.default.svc"),
    "headless: SRV of each endpoint and named port, with the endpoint's port": Row(
        "_pg._tcp.deep.default.svc", "SRV",
        [f"SRV 0 1 15432 {host}.deep.default.svc.@" for host in ("127-97-0-2", "db-0", "twin")],
    ),
    "headless: SRV of the next port": Row(
        "_admin._tcp.deep.default.svc", "SRV",
        [f"SRV 0 1 18000 {host}.deep.default.svc.@" for host in ("127-97-0-2", "db-0", "twin")],
    ),
    "headless: PTR of an endpoint is its name": Row(
        "1.0.97.127.in-addr.arpa.", "PTR", ["PTR db-0.deep.default.svc.@"]
    ),
    "headless: PTR of a ready endpoint only": denied("3.0.97.127.in-addr.arpa.", "PTR"),
    "ExternalName: CNAME for A": Row("far.default.svc", "A", ["CNAME www.example.com."]),
    "ExternalName: CNAME for AAAA": Row("far.default.svc", "AAAA", ["CNAME www.example.com."]),
    "ExternalName within the zone is chased": Row(
        "near.default.svc", "A", ["A 127.96.1.1", "CNAME plain.default.svc.@"]
    ),
    "publishNotReadyAddresses: all count, terminating ones too": Row(
        "all.default.svc", "A", ["A 127.97.1.1", "A 127.97.1.2"]
    ),
    "publishNotReadyAddresses: names and PTR too": Row(
        "2.1.97.127.in-addr.arpa.", "PTR", ["PTR 127-97-1-2.all.default.svc.@"]
    ),
    "pod records: an endpoint's address under its namespace": Row("127-97-0-3.default.pod", "A", ["A 127.97.0.3"]),
    "pod records: of IPv6 too": Row("fd00--2-1.default.pod", "AAAA", ["AAAA fd00::2:1"]),
    "pod records: not of an address that no endpoint has": denied("10-9-9-9.default.pod"),
    "pod records: not under another namespace": denied("127-97-0-3.other.pod"),
    "wildcards are not answered": denied("*.default.svc"),
    "an existing name without that type is NOERROR": Row("plain.default.svc", "MX", []),
    "a name between others exists": Row("_tcp.plain.default.svc", "SRV", []),
    "a namespace exists": Row("default.svc", "A", []),
    "an unknown Service is NXDOMAIN": denied("nobody.default.svc"),
    "an unknown namespace is NXDOMAIN": denied("plain.elsewhere.svc"),
}  # fmt: skip


@cache
def responder() -> Responder:
    made = Responder(Random(1))
    made.put_in_force(view(MANIFESTS.read_text()))
    return made


def full(name: str) -> str:
    return name if name.endswith(".") else f"{name}.{Z}."


@pytest.mark.parametrize("case", ROWS)
def test_contract(case: str) -> None:
    row = ROWS[case]
    answer = ask(responder(), full(row.name), row.kind)
    assert rcode(answer) == row.rcode
    assert values(answer) == sorted(value.replace("@", f"{Z}.") for value in row.values)
    assert {rrset.ttl for rrset in answer.answer} <= {POSITIVE_TTL}
    said_no = not answer.answer
    soas = [rrset for rrset in answer.authority if rrset.rdtype.name == "SOA"]
    assert [rrset.ttl for rrset in soas] == [NEGATIVE_TTL] * said_no, (
        "a denial comes with SOA, and is kept for less time"
    )


def test_no_is_kept_for_less_time_than_yes() -> None:
    assert NEGATIVE_TTL < POSITIVE_TTL


def test_addresses_of_targets_come_in_additional() -> None:
    answer = ask(responder(), full("_pg._tcp.deep.default.svc"), "SRV")
    found = {rrset.name.to_text().partition(".")[0] for rrset in answer.additional}
    assert found == {"db-0", "127-97-0-2", "twin"}


def test_answers_are_shuffled() -> None:
    question = query(full("deep.default.svc")).to_wire()
    firsts = {responder().respond(question)[-4:] for _ in range(8)}  # type: ignore[index]
    assert len(firsts) == 4


def test_servfail_before_the_first_view() -> None:
    assert rcode(ask(Responder(Random(1)), full("plain.default.svc"))) == "SERVFAIL"


def test_what_exists_without_that_type_is_not_asked_elsewhere() -> None:
    """As Docker's resolver: a known name without IPv6 is empty, not forwarded."""
    made = Responder(Random(1), recursion=True)
    made.put_in_force(view(MANIFESTS.read_text()))
    answer = ask(made, full("unnamed.default.svc"), "AAAA")
    assert (rcode(answer), values(answer)) == ("NOERROR", [])
    assert answer.flags & dns.flags.AA


POD = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {clusterIP: None, selector: {app: web}, ports: [{name: http, port: 80, targetPort: http}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {NAMES containers: [{name: c, image: i, ports: [{name: http, containerPort: 8080}]}]}
"""
PODS: dict[str, tuple[str, dict[str, Any], bool]] = {
    "hostname, and subdomain of a headless Service: the pod has that name": ("hostname: h, subdomain: web,", {}, True),
    "without hostname it has none": ("subdomain: web,", {}, False),
    "without subdomain it has none": ("hostname: h,", {}, False),
    "of another subdomain it has none": ("hostname: h, subdomain: db,", {}, False),
    "not ready, it has none": ("hostname: h, subdomain: web,", {"ready": False}, False),
    "terminating, it has none": ("hostname: h, subdomain: web,", {"terminating": True}, False),
}


@pytest.mark.parametrize("case", PODS)
def test_pod_names(case: str) -> None:
    names, state, exists = PODS[case]
    config_set = written(POD.replace("NAMES", names))
    catalog = existing(config_set)
    one = replica(1, "web", **state)
    catalog.put_replicas("test", [one])
    made = Responder(Random(1))
    made.put_in_force(Zone(Serials(0)).update(config_set, catalog.snapshot))
    found = ask(made, full("h.web.default.svc"))
    assert values(found) == ([f"A {one.address}"] if exists else [])
    assert rcode(ask(made, full(f"{one.id}.web.default.svc"))) == "NXDOMAIN", "a pod's own name is no record"


SOURCES = {
    "Kubernetes, a headless Service": (
        "_pg._tcp.db.data.svc.cluster.local", ["0 33 5432 db-0.db.data.svc.cluster.local."], ["10.0.0.1:5432"],
    ),
    "Consul, the strict form with a hexadecimal target": (
        "_web._tcp.service.consul", ["1 1 8080 0a000001.addr.dc1.consul."], ["10.0.0.1:8080"],
    ),
    "Consul, a tag": ("blue.web.service.consul", ["1 1 8080 node1.node.dc1.consul."], ["10.0.0.1:8080"]),
    "Mesos-DNS, weights of 0": (
        "_web._tcp.marathon.mesos", ["0 0 31001 web-x.marathon.slave.mesos."], ["10.0.0.1:31001"],
    ),
    "Cloud Map, a classic name": ("_web._tcp.shop.local", ["1 1 32768 i-1._web._tcp.shop.local."], ["10.0.0.1:32768"]),
    "Cloud Map and ECS, addresses": ("web.shop.local", [], ["10.0.0.1:8080"]),
    "Swarm, the tasks of a Service": ("tasks.web", [], ["10.0.0.1:8080"]),
}  # fmt: skip


@pytest.mark.parametrize("case", SOURCES)
async def test_other_systems_as_sources(case: str, tmp_path: Path) -> None:
    name, services, expected = SOURCES[case]

    def say(asked: bytes, _tcp: bool) -> list[bytes]:
        question = query_of(asked)
        found = {
            "A": [f"{question.name} 60 A 10.0.0.1"],
            "SRV": [f"{question.name} 60 SRV {each}" for each in services],
        }
        return [response(asked, *found.get(question.rdtype.name, []))]

    async with upstream(say) as server:
        kind = "SRV" if services else "A"
        notes = f"weft.dev/dns: {name}., weft.dev/dns-type: {kind}, weft.dev/dns-servers: '{server.address}'"
        config_set = written(
            f"{{apiVersion: v1, kind: Service, metadata: {{name: web, annotations: {{{notes}}}}}, "
            "spec: {ports: [{name: http, port: 80, targetPort: 8080}]}}"
        )
        catalog = existing(config_set)
        node = NodeDNS(replace(config_set, node=replace(config_set.node, dns="127.0.0.1:0")), catalog, tmp_path)
        try:
            await node.start()
            async with asyncio.timeout(10):
                while not (there := next(iter(catalog.snapshot.services.values()))["http"]):
                    await asyncio.sleep(0.005)
        finally:
            await node.close()
    assert [f"{each.address}:{each.port}" for each in there] == expected


def query_of(asked: bytes) -> Any:
    return dns.message.from_wire(asked).question[0]
