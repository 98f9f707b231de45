"""The parts of a sidecar, as far as they are decided before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.configset import ConfigSet
from config.meta import Named, ObjectMeta
from config.resources.core import Service, ServicePort, ServiceSpec
from sidecar.beside import Beside
from sidecar.enrolment import Registering
from sidecar.errors import UserError
from sidecar.sidecar_assembly import _check, _endpoints, replica_id, replica_of

APP = Named("default", "app")
PORTS = (ServicePort(port=80, name="http"), ServicePort(port=9090))
SERVICES = {APP: Service(metadata=ObjectMeta("app", "default"), spec=ServiceSpec(ports=PORTS))}


def test_its_endpoints_are_those_ports_that_it_has() -> None:
    beside = Beside(APP, (("http", 8080), ("9090", 8081)))
    replica = replica_of(beside, "app-1", "here", "zone")
    made = _endpoints(beside, (replica,))
    assert {name: each[0].where for name, each in made.items()} == {
        "http": ("127.0.0.1", 8080),
        "9090": ("127.0.0.1", 8081),
    }
    endpoint = made["http"][0]
    assert (endpoint.replica_id, endpoint.node, endpoint.zone, endpoint.workload) == ("app-1", "here", "zone", None)
    assert _endpoints(beside, ()) == {}


def test_its_name_is_the_same_for_good_and_no_other_ones(tmp_path: Path) -> None:
    named = replica_id(APP, "here", tmp_path)
    assert named == replica_id(APP, "here", tmp_path)
    assert len({named, replica_id(APP, "there", tmp_path), replica_id(APP, "here", tmp_path / "other")}) == 3
    assert len(replica_id(Named("default", "a" * 63), "here", tmp_path)) < 63


@pytest.mark.parametrize(
    ("beside", "told"),
    [
        (Beside(Named("default", "other"), (("http", 1),)), "no such Service"),
        (Beside(APP, (("http", 1), ("grpc", 2))), "no such port, but http, 9090"),
    ],
)
def test_what_does_not_fit_is_told(beside: Beside, told: str) -> None:
    with pytest.raises(UserError, match=told):
        _check(beside, ConfigSet(services=SERVICES))


def test_a_sidecar_and_the_node_beneath_it_leave_each_others_endpoints_alone() -> None:
    node, sidecar = Registering("here", "here"), Registering("app-1", "here", "app-1")
    of_node, of_sidecar, of_other = ("here", "shop-1", True), ("here", "app-1", False), ("here", "app-2", False)
    assert [node.owns(*each) for each in (of_node, of_sidecar, of_other)] == [True, False, False]
    assert [sidecar.owns(*each) for each in (of_node, of_sidecar, of_other)] == [False, True, False]
