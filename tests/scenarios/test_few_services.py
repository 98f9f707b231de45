"""A sidecar has the manifests of the Services that it uses: others are learned by name, and cost nothing until then."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.scenarios.editing import ports
from tests.scenarios.manifests import endpoint_slice, policy, service
from tests.scenarios.test_channel import mesh, services
from tests.scenarios.test_nodes import asked
from tests.scenarios.test_sidecar import OTHER, beside
from tests.scenarios.weft import PATIENCE, Weft, ask, wait_for

DOMAIN = "default.svc.cluster.local"
SLICED = service("sliced")


def others(first: int, last: int) -> list[Mapping[str, Any]]:
    """Services with endpoints and a policy each."""
    made: list[Mapping[str, Any]] = []
    for name in (f"s{number}" for number in range(first, last)):
        headless = service(name, {"http": 80})
        headless["spec"]["clusterIP"] = "None"  # the range of a test is small
        made += [headless, endpoint_slice(name, {"http": 80}, "10.9.0.1"), policy(name)]
    return made


def held(weft: Weft) -> set[tuple[str, str]]:
    return {(each["kind"], each["name"]) for each in weft.admin("/api/v1/config").json["objects"]} - {
        ("NodeConfig", "weft")
    }


def addresses(weft: Weft, name: str) -> list[str]:
    return [str(each) for rrset in asked(weft, f"{name}.{DOMAIN}").answer for each in rrset]


def test_a_sidecar_holds_what_it_uses_however_many_services_there_are(
    tmp_path: Path, size: Callable[[int, int], int]
) -> None:
    last = size(200, 500)
    with mesh(tmp_path) as made:
        made.apply(OTHER, SLICED, endpoint_slice("sliced", {"http": 8080}, "10.9.0.2"), *others(0, 50))
        with beside(made, "other", of="other"), beside(made, "first") as first:
            wait_for(lambda: first.admin("/api/v1/channel").json["manifests"], first.told)
            few = held(first)
            assert {name for kind, name in few if kind != "NodeConfig"} == {"app"}
            (address,) = addresses(first, "other")
            assert ports(first, "other")["http"].startswith(address)
            assert ask(ports(first, "other")["http"]).json["replica"] == "other"
            assert len(addresses(first, "sliced")) == 1
            assert {("Service", "sliced"), ("EndpointSlice", "sliced-8080")} <= held(first)
            learned = held(first)
            made.apply(*others(50, last))
            generation = made.known()["other"]["manifests"]
            wait_for(lambda: first.admin("/api/v1/channel").json["manifests"] >= generation, first.told)
            assert held(first) == learned
            assert services(first) == ["app", "other", "sliced"]

            assert addresses(first, "later") == []
            began = time.monotonic()
            assert addresses(first, "later") == []
            assert time.monotonic() - began < PATIENCE / 10, "it is known not to be there"
            made.apply(service("later"))
            wait_for(lambda: addresses(first, "later"), first.told)
