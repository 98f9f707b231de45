"""What a process says of itself that carries no traffic."""

from __future__ import annotations

from config.meta import ObjectKey
from discovery.catalog import Catalog
from mesh.status import ObjectStatus
from sidecar.families import Reloads
from sidecar.readiness import Missing
from sidecar.standing import LAST_GOOD, Standing
from tests.sidecar.conftest import WEB, config_set


def standing() -> Standing:
    return Standing(config_set=config_set("127.96.0.1", 9000), faults=(), catalog=Catalog(), reloads=Reloads())


def test_it_takes_no_traffic_and_runs_nothing() -> None:
    made = standing()
    assert (list(made.doors()), made.listens(WEB), made.workloads(), made.missing()) == ([], {}, (), [])
    assert list(made.not_in_force()) == []


def test_what_lacks_is_asked_when_somebody_asks() -> None:
    made, lacks = standing(), [Missing("registry", "it is silent")]
    made.lacks.append(lambda: lacks[0] if lacks else None)
    assert made.missing() == [Missing("registry", "it is silent")]
    lacks.clear()
    assert made.missing() == []
    made.draining = True
    assert [item.why for item in made.missing()] == ["it is stopping"]


def test_what_is_kept_is_said() -> None:
    made, key = standing(), ObjectKey("Service", *WEB)
    assert made.status(key).reasons == ()
    made.kept = frozenset({key})
    assert made.status(key).reasons == (LAST_GOOD,)


def test_what_became_of_an_autoscaler_is_said() -> None:
    made, key = standing(), ObjectKey("Service", *WEB)
    failing = ObjectStatus("degraded", ("nothing is measured",))
    made.autoscaled = {key: failing}.get
    assert list(made.not_in_force()) == [(key, failing)]


def test_changes_are_told() -> None:
    made, told = standing(), []
    made.subscribe(lambda: told.append(made.snapshot.generation))
    made.catalog.define(made.config_set.services)
    assert told == [1]
    made.stirred()
    assert told == [1, 1]
