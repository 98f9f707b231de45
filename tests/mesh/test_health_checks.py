"""Which endpoints are checked, and whom the outcome concerns."""

from __future__ import annotations

from config.balancing import HealthCheckPolicy
from discovery.endpoint import Endpoint, WorkloadRef
from mesh.backend import Backend
from mesh.eligibility import Rules
from mesh.health_checks import HealthChecks
from mesh.plan import BackendKey, BackendPlan

POLICY = HealthCheckPolicy()
ONE, OTHER = Endpoint("10.0.0.1", 80), Endpoint("10.0.0.2", 80)


def backend(*endpoints: Endpoint, name: str = "shop", policy: HealthCheckPolicy | None = POLICY) -> Backend:
    key = BackendKey("default", name, "http")
    made = Backend(key, lambda: 1000.0)
    made.apply(BackendPlan(key, endpoints, health_check=policy, rules=Rules(panic_below=0)))
    return made


def eligible(there: Backend) -> list[str]:
    return [state.host for state in there.eligible]


def test_those_of_a_policy_that_nobody_vouches_for() -> None:
    probed = Endpoint("10.0.0.3", 80, workload=WorkloadRef("Deployment", "default", "shop"))
    unready = Endpoint("10.0.0.4", 80, ready=False)
    wanted = HealthChecks().wanted([backend(ONE, probed, unready), backend(OTHER, policy=None)])
    assert wanted == {("10.0.0.1", 80, POLICY, None)}


def test_a_conclusion_concerns_all_who_asked() -> None:
    first, second, third = backend(ONE, OTHER), backend(ONE, name="b"), backend(ONE, name="c", policy=None)
    checks = HealthChecks()
    checks.wanted([first, second, third])
    assert (eligible(first), eligible(second), eligible(third)) == ([], [], ["10.0.0.1"])
    checks.concluded(("10.0.0.1", 80, POLICY, None), True)
    assert (eligible(first), eligible(second)) == (["10.0.0.1"], ["10.0.0.1"])
    checks.concluded(("10.0.0.1", 80, POLICY, None), False)
    assert (eligible(first), eligible(second), eligible(third)) == ([], [], ["10.0.0.1"])


def test_what_is_known_holds_for_who_asks_later() -> None:
    first, checks = backend(ONE), HealthChecks()
    checks.wanted([first])
    checks.concluded(("10.0.0.1", 80, POLICY, None), True)
    later = backend(ONE, name="later")
    checks.wanted([first, later])
    assert eligible(later) == ["10.0.0.1"]


def test_another_replica_at_the_same_address_is_what_was_found_there() -> None:
    there, checks = backend(ONE), HealthChecks()
    checks.wanted([there])
    checks.concluded(("10.0.0.1", 80, POLICY, None), True)
    there.apply(BackendPlan(there.key, (Endpoint("10.0.0.1", 80, replica_id="new"),), health_check=POLICY))
    checks.wanted([there])
    assert not there.endpoints["10.0.0.1", 80].unhealthy


def test_what_nobody_wants_any_more_is_forgotten() -> None:
    there, checks = backend(ONE), HealthChecks()
    checks.wanted([there])
    checks.concluded(("10.0.0.1", 80, POLICY, None), True)
    assert not checks.wanted([])
    checks.concluded(("10.0.0.1", 80, POLICY, None), True)
    assert checks.wanted([there])
    assert checks.wanted([backend(ONE)]) == {("10.0.0.1", 80, POLICY, None)}
    fresh = backend(ONE)
    checks.wanted([fresh])
    assert eligible(fresh) == [], "it is to be found out anew"


def test_checks_begin_as_all_connections_there_do() -> None:
    there = backend(ONE)
    there.apply(BackendPlan(there.key, (ONE,), health_check=POLICY, send_proxy="v2"))
    assert HealthChecks().wanted([there]) == {("10.0.0.1", 80, POLICY, "v2")}
