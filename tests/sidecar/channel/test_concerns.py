"""What there is to know of a Service, and of no other."""

from __future__ import annotations

from collections.abc import Iterable

from config.meta import Named
from sidecar.channel.concerns import Concerns
from sidecar.channel.messages import Manifest
from sidecar.channel.selection import Stored
from tests.sidecar.channel.channels import manifest

SLICE = {"metadata": {"name": "web-1", "labels": {"kubernetes.io/service-name": "web"}}}


def policy(target: str, kind: str = "Service", **spec: object) -> Manifest:
    name = f"{kind.lower()}-{target}"
    return manifest("TrafficPolicy", name, {"spec": {"targetRef": {"kind": kind, "name": target}, **spec}})


THERE = (
    manifest("Service", "web", {"metadata": {"annotations": {"weft.dev/dns-tsig": "signs"}}}),
    manifest("Service", "web", namespace="prod"),
    manifest("Endpoints", "web"),
    manifest("EndpointSlice", "web-1", SLICE),
    manifest("EndpointSlice", "loose"),
    manifest("Service", "api"),
    policy("api", split=[{"service": "canary", "weight": 1}], mirror={"service": "shadow"}),
    policy("front", "Ingress", tls={"caSecret": "of-ingress"}),
    manifest("Service", "canary"),
    policy("canary", split=[{"service": "api"}], tls={"reencrypt": {"caSecret": "signer"}}),
    manifest("Service", "shadow"),
    manifest("Ingress", "front"),
    manifest("Namespace", "default", namespace=""),
)


def named(concerns: Concerns, *services: str, namespace: str = "default") -> set[str]:
    return {f"{key.kind}/{key.name}" for key in concerns.of(Named(namespace, each) for each in services)}


def concerns(manifests: Iterable[Manifest] = THERE) -> Concerns:
    made = Concerns()
    for each in manifests:
        made.put(Stored(each))
    return made


def test_what_tells_of_a_service() -> None:
    made = concerns()
    assert named(made, "web") == {"Service/web", "Endpoints/web", "EndpointSlice/web-1", "Secret/signs"}
    assert named(made, "web", namespace="prod") == {"Service/web"}
    assert named(made, "none") == named(made) == set()


def test_where_its_requests_are_handed_to() -> None:
    behind = {"Service/canary", "TrafficPolicy/service-canary", "Service/shadow", "Secret/signer"}
    assert named(concerns(), "api") == {"Service/api", "TrafficPolicy/service-api", *behind}


def test_what_is_gone_concerns_nobody() -> None:
    made = concerns()
    for each in THERE:
        made.remove(Stored(each))
    assert named(made, "web", "api") == set()
    assert not made._objects
