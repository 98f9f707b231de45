"""Whom the nodes' zone says to tell: ``NAME.nodes.Z`` has a node's address, and an SRV record with its DNS port."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from discovery.registry.content import Content
from discovery.registry.resolv_conf import Resolver
from discovery.registry.wire import AAAA, IN, SRV, A, Record, to_labels

TTL = 5


def node_records(name: bytes, where: Resolver) -> tuple[Record, Record]:
    """The records that have a node told at `where`; `name` is its own in the nodes' zone, as wire bytes."""
    packed = ip_address(where.address).packed
    data = bytes(4) + where.port.to_bytes(2, "big") + name
    return Record(name, A if len(packed) == 4 else AAAA, IN, TTL, packed), Record(name, SRV, IN, TTL, data)


def node_names(content: Content) -> Iterator[str]:
    """The names of the nodes that are registered."""
    depth = len(to_labels(content.origin))
    for name in tuple(content.nodes):
        labels = to_labels(name)
        if len(labels) > depth:
            yield b".".join(labels[: len(labels) - depth]).decode("ascii", "backslashreplace")


def notified(content: Content) -> Iterator[Resolver]:
    """Where each node that is registered is told."""
    for node in content.nodes.values():
        addresses = [data for rrset in node if rrset.type in {A, AAAA} for data in rrset.datas if len(data) in {4, 16}]
        ports = [data[4:6] for rrset in node if rrset.type == SRV for data in rrset.datas]
        if addresses and ports:
            yield Resolver(str(ip_address(addresses[0])), int.from_bytes(ports[0], "big"))
