"""Who is told of changes, as the nodes' zone says."""

from __future__ import annotations

import pytest

from discovery.registry.content import content_of
from discovery.registry.resolv_conf import Resolver
from discovery.registry.targets import followed, node_records, notified
from discovery.registry.wire import IN, SRV, A, Record, from_text, to_wire

ZONE = to_wire(from_text("nodes.cluster.local"))
N1, N2 = (to_wire(from_text(f"{name}.nodes.cluster.local")) for name in ("n1", "n2"))
FIRST, SECOND = Resolver("192.0.2.1", 1053), Resolver("2001:db8::1", 53)


def test_what_is_registered_is_told() -> None:
    content = content_of(ZONE, 1, [*node_records(N1, FIRST), *node_records(N2, SECOND)])
    assert set(notified(content)) == {FIRST, SECOND}


STRANGE = {
    "no port": [Record(N1, A, IN, 5, b"\1\2\3\4")],
    "no address": [Record(N1, SRV, IN, 5, bytes(6) + N1)],
    "an address of the wrong length": [Record(N1, A, IN, 5, b"\1"), Record(N1, SRV, IN, 5, bytes(6) + N1)],
}


@pytest.mark.parametrize("case", STRANGE)
def test_what_is_no_node(case: str) -> None:
    assert list(notified(content_of(ZONE, 1, STRANGE[case]))) == []


TOLD = {
    "what it follows": ("h.a.ns.endpoints", True),
    "the name itself": ("a.ns.endpoints", True),
    "a port of it": ("_http._tcp.a.ns.endpoints", True),
    "another Service": ("h.b.ns.endpoints", False),
    "one that ends alike": ("h.aa.ns.endpoints", False),
}


@pytest.mark.parametrize("case", TOLD)
def test_who_follows_parts_is_told_of_those(case: str) -> None:
    changed, is_told = TOLD[case]
    parts = [to_wire(from_text(f"{part}.ns.endpoints.cluster.local")) for part in ("A", "c")]
    content = content_of(ZONE, 1, [*node_records(N1, FIRST, parts), *node_records(N2, SECOND)])
    assert followed(content.nodes[N1]) == tuple(part.lower() for part in parts)
    assert set(notified(content, [to_wire(from_text(f"{changed}.cluster.local"))])) == (
        {FIRST, SECOND} if is_told else {SECOND}
    )
    assert set(notified(content)) == {FIRST, SECOND}
