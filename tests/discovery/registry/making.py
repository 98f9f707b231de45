"""Short ways to make a view and to ask it; dnspython is the judge of every message."""

from __future__ import annotations

from random import Random
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from config.configset import ConfigSet
from config.loader import load_text
from discovery.allocation import allocate
from discovery.assignments import Assignments
from discovery.catalog import Catalog, Snapshot
from discovery.registry import wire
from discovery.registry.responder import Responder
from discovery.registry.serials import Serials
from discovery.registry.wire import Record, parse_message
from discovery.registry.zone import View, Zone
from discovery.sources import manifest

SHOP = """
apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {clusterIP: 127.96.1.1, ports: [{name: http, port: 80}, {name: dns, port: 53, protocol: UDP}]}
"""
DB = """
apiVersion: v1
kind: Service
metadata: {name: db, namespace: data}
spec: {clusterIP: None, ports: [{name: pg, port: 5432}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: db-1, namespace: data, labels: {kubernetes.io/service-name: db}}
addressType: IPv4
endpoints:
- {addresses: [127.97.0.5], hostname: db-0}
- {addresses: [127.97.0.6]}
- {addresses: [127.97.0.7], conditions: {ready: false}}
ports: [{name: pg, port: 15432}]
"""
EXTERNAL = """
apiVersion: v1
kind: Service
metadata: {name: elsewhere}
spec: {type: ExternalName, externalName: www.example.com}
---
apiVersion: v1
kind: Service
metadata: {name: alias}
spec: {type: ExternalName, externalName: db.data.svc.cluster.local}
"""
EMPTY = """
apiVersion: v1
kind: Service
metadata: {name: empty}
spec: {clusterIP: None, ports: [{name: pg, port: 5432}]}
"""
ALL = "\n---\n".join((SHOP, DB, EXTERNAL, EMPTY))


def written(text: str) -> ConfigSet:
    loaded = load_text(text, "test.yaml")
    assert not loaded.failed, loaded.faults
    return allocate(loaded.config_set, Assignments()).config_set


def snapshot(config_set: ConfigSet) -> Snapshot:
    return existing(config_set).snapshot


def existing(config_set: ConfigSet) -> Catalog:
    catalog = Catalog()
    catalog.define(config_set.services)
    catalog.put_endpoints("manifest", manifest.endpoints(config_set))
    return catalog


def view(text: str = ALL) -> View:
    config_set = written(text)
    return Zone(Serials(0)).update(config_set, snapshot(config_set))


def responder(text: str = ALL, recursion: bool = False) -> Responder:
    made = Responder(Random(1), recursion)
    made.put_in_force(view(text))
    return made


def agree(message: bytes) -> dns.message.Message:
    """Both codecs read `message`, and read the same."""
    theirs = dns.message.from_wire(message, one_rr_per_rrset=True)
    ours = parse_message(message)
    assert ours.id == theirs.id.to_bytes(2, "big")
    for mine, rrsets in zip(
        (ours.answers, ours.authority, ours.additional),
        (theirs.answer, theirs.authority, theirs.additional),
        strict=True,
    ):
        plain = [(r.name.lower(), r.type, r.klass, r.ttl, r.data) for r in mine if r.type != wire.OPT]
        assert plain == [plain_record(rrset) for rrset in rrsets]
    return theirs


def plain_record(rrset: Any) -> tuple[bytes, int, int, int, bytes]:
    name = rrset.name.canonicalize().to_wire()
    return name, int(rrset.rdtype), int(rrset.rdclass), rrset.ttl, rrset[0].to_wire()


def query(name: str, kind: str = "A", **options: Any) -> dns.message.QueryMessage:
    return dns.message.make_query(name, kind, **options)


def ask(made: Responder, name: str, kind: str = "A", tcp: bool = False, **options: Any) -> dns.message.Message:
    """What is answered, as dnspython and our own codec read it alike."""
    question = query(name, kind, **options)
    answer = made.respond(question.to_wire(), tcp)
    assert isinstance(answer, bytes)
    read = agree(answer)
    assert question.is_response(read)
    return read


def values(message: dns.message.Message) -> list[str]:
    """``TYPE VALUE`` of the answer's records, sorted."""
    found = [f"{dns.rdatatype.to_text(rrset.rdtype)} {rrset[0].to_text()}" for rrset in message.answer]
    return sorted(found)


def rcode(message: dns.message.Message) -> str:
    return dns.rcode.to_text(message.rcode())


def record(name: str, kind: int, data: bytes, ttl: int = 5) -> Record:
    return Record(wire.to_wire(wire.from_text(name)), kind, wire.IN, ttl, data)
