"""The machine against tables of stories, and against a model that judges the whole history anew each time."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.resources.workloads import Probe
from discovery.health import QUICK_INTERVAL, Finding, Health, IllegalEvent, Kind, Outcome, Phase, Verdict

STARTUP, READINESS, LIVENESS = Kind.STARTUP, Kind.READINESS, Kind.LIVENESS
OK = Finding(Outcome.SUCCESS)
BAD = Finding(Outcome.FAILURE, "HTTP 503")
ODD = Finding(Outcome.UNKNOWN, "no way to ask")
FINDINGS = {"s": OK, "f": BAD, "u": ODD}


def probe(period: int = 10, success: int = 1, failure: int = 3, delay: int = 0) -> Probe:
    return Probe(
        period_seconds=period, success_threshold=success, failure_threshold=failure, initial_delay_seconds=delay
    )


@pytest.mark.parametrize(
    ("case", "success", "failure", "findings", "ready"),
    [
        ("starts not ready", 1, 3, "", False),
        ("one success is enough by default", 1, 3, "s", True),
        ("rises after two in a row", 2, 3, "s", False),
        ("rises at the second", 2, 3, "ss", True),
        ("a failure breaks the rise", 2, 3, "sfs", False),
        ("two failures of three do not fall", 1, 3, "sff", True),
        ("falls at the third", 1, 3, "sfff", False),
        ("a success breaks the fall", 1, 3, "sffsff", True),
        ("rises again as it rose first", 2, 1, "ssfs", False),
        ("rises again after two", 2, 1, "ssfss", True),
        ("unknown counts as neither", 1, 3, "suuuuuffu", True),
        ("unknown does not break a row", 2, 3, "sus", True),
        ("threshold one falls at once", 1, 1, "sf", False),
    ],
)
def test_readiness(case: str, success: int, failure: int, findings: str, ready: bool) -> None:
    health = Health(probe(success=success, failure=failure), None, None, 0)
    for step, letter in enumerate(findings):
        health.observe(READINESS, FINDINGS[letter], 10.0 * step)
    assert health.verdict().ready is ready, case
    assert health.verdict().alive


def test_liveness_starts_alive_and_fails_for_good() -> None:
    health = Health(None, probe(failure=2), None, 0)
    health.observe(READINESS, OK, 0)
    health.observe(LIVENESS, BAD, 0)
    assert health.verdict() == Verdict(True, True, "")
    health.observe(LIVENESS, BAD, 10)
    assert health.verdict() == Verdict(False, False, "liveness probe failed 2 times in a row: HTTP 503")
    assert health.expected == ()


def test_startup_gates_the_others() -> None:
    health = Health(probe(), probe(), probe(), 0)
    assert (health.phase, health.expected) == (Phase.STARTING, (STARTUP,))
    assert health.verdict() == Verdict(False, True, "startup probe: no answer yet")
    health.observe(STARTUP, OK, 1)
    assert (health.phase, health.expected) == (Phase.STARTED, (LIVENESS, READINESS))
    assert health.verdict() == Verdict(False, True, "readiness probe: no answer yet")


def test_startup_that_fails_for_good_ends_the_container() -> None:
    health = Health(None, None, probe(failure=1), 0)
    health.observe(STARTUP, BAD, 0)
    assert health.verdict() == Verdict(False, False, "startup probe failed 1 times in a row: HTTP 503")


def test_quick_attempts_do_not_use_up_the_startup_thresholds() -> None:
    """failureThreshold 3 x periodSeconds 10: Kubernetes gives up at 20 s, however often we ask meanwhile."""
    health = Health(None, None, probe(failure=3), 0)
    attempts = 0
    while health.verdict().alive:
        health.observe(STARTUP, BAD, attempts * QUICK_INTERVAL)
        attempts += 1
    assert (attempts - 1) * QUICK_INTERVAL == pytest.approx(20)


def test_without_readiness_probe_ports_that_accept_once_are_enough() -> None:
    health = Health(None, None, None, 0)
    assert health.expected == (READINESS,)
    health.observe(READINESS, BAD, 0)
    assert health.verdict() == Verdict(False, True, "ports: HTTP 503")
    health.observe(READINESS, OK, 1)
    assert health.verdict().ready
    assert health.expected == ()


def test_progress_of_a_slow_rise_is_told() -> None:
    health = Health(probe(success=3), None, None, 0)
    health.observe(READINESS, OK, 0)
    assert health.verdict().reason == "readiness probe: 1 of 3 successes"


@pytest.mark.parametrize(
    ("case", "kind", "before", "due"),
    [
        ("startup is quick until it succeeds", STARTUP, "", QUICK_INTERVAL),
        ("readiness is quick until it succeeds", READINESS, "", QUICK_INTERVAL),
        ("also after failures", READINESS, "fffff", QUICK_INTERVAL),
        ("also after what is unknown", READINESS, "u", QUICK_INTERVAL),
        ("from the first success by its period", READINESS, "fs", 7),
        ("a fallen one by its period", READINESS, "sfff", 7),
        ("liveness by its period from the start", LIVENESS, "", 7),
    ],
)
def test_intervals(case: str, kind: Kind, before: str, due: float) -> None:
    probes = {each: probe(period=7) if each is kind else None for each in Kind}
    health = Health(probes[READINESS], probes[LIVENESS], probes[STARTUP], 0)
    for step, letter in enumerate(before):
        health.observe(kind, FINDINGS[letter], 7.0 * step)
    assert health.due(kind, began=100) == 100 + due, case


def test_the_initial_delay_counts_from_the_start_of_the_container() -> None:
    health = Health(probe(delay=5), probe(delay=30), probe(delay=2), 1000)
    assert [health.due(kind) for kind in (STARTUP, READINESS, LIVENESS)] == [1002, 1005, 1030]


@pytest.mark.parametrize(
    ("case", "before", "kind"),
    [
        ("readiness before startup has succeeded", "", READINESS),
        ("liveness before startup has succeeded", "", LIVENESS),
        ("startup after its success", "s", STARTUP),
        ("startup after it failed for good", "f", STARTUP),
        ("readiness after the container has failed", "f", READINESS),
    ],
)
def test_illegal_events(case: str, before: str, kind: Kind) -> None:
    health = Health(probe(), probe(), probe(failure=1), 0)
    for letter in before:
        health.observe(STARTUP, FINDINGS[letter], 0)
    with pytest.raises(IllegalEvent):
        health.observe(kind, OK, 1)


def test_a_probe_that_does_not_exist_is_illegal() -> None:
    with pytest.raises(IllegalEvent, match="liveness in phase started"):
        Health(probe(), None, None, 0).observe(LIVENESS, OK, 0)


# The model


@dataclass
class Model:
    """Keeps every finding and derives the state from all of them, in the words of Kubernetes' documentation."""

    probes: dict[Kind, Probe | None]
    history: dict[Kind, list[tuple[float, Outcome]]] = field(default_factory=lambda: {kind: [] for kind in Kind})

    def counted(self, kind: Kind) -> list[Outcome]:
        found: list[Outcome] = []
        at: float | None = None
        for now, outcome in self.history[kind]:
            if outcome is Outcome.UNKNOWN:
                continue
            quick = kind is not LIVENESS and Outcome.SUCCESS not in found and outcome is Outcome.FAILURE
            if quick and at is not None and now - at < self.probe(kind).period_seconds:
                continue
            at = now if quick else at
            found.append(outcome)
        return found

    def probe(self, kind: Kind) -> Probe:
        return self.probes[kind] or probe(period=1)

    def state(self, kind: Kind, initial: bool | None) -> bool | None:
        counted, given_probe = self.counted(kind), self.probe(kind)
        for end in range(len(counted), 0, -1):
            if counted[:end][-given_probe.success_threshold :] == [Outcome.SUCCESS] * given_probe.success_threshold:
                return True
            if counted[:end][-given_probe.failure_threshold :] == [Outcome.FAILURE] * given_probe.failure_threshold:
                return False
        return initial

    @property
    def started(self) -> bool:
        return self.probes[STARTUP] is None or self.state(STARTUP, None) is True

    @property
    def alive(self) -> bool:
        live = self.probes[LIVENESS] is None or self.state(LIVENESS, True) is True
        return live and (self.probes[STARTUP] is None or self.state(STARTUP, None) is not False)

    @property
    def ready(self) -> bool:
        return self.alive and self.started and self.state(READINESS, False) is True

    @property
    def expected(self) -> set[Kind]:
        if not self.alive:
            return set()
        if not self.started:
            return {STARTUP}
        latched = self.probes[READINESS] is None and self.state(READINESS, False) is True
        return ({LIVENESS} if self.probes[LIVENESS] else set()) | (set() if latched else {READINESS})


PROBES = st.builds(probe, period=st.integers(1, 5), success=st.integers(1, 3), failure=st.integers(1, 4))
STRICT = st.builds(probe, period=st.integers(1, 5), failure=st.integers(1, 4))
"""successThreshold must be 1 for startup and liveness."""


@given(
    readiness=st.none() | PROBES,
    liveness=st.none() | STRICT,
    startup=st.none() | STRICT,
    events=st.lists(
        st.tuples(st.sampled_from(Kind), st.sampled_from(Outcome), st.floats(0, 8, allow_nan=False)), max_size=60
    ),
)
def test_machine_and_model_agree(
    readiness: Probe | None,
    liveness: Probe | None,
    startup: Probe | None,
    events: list[tuple[Kind, Outcome, float]],
) -> None:
    health = Health(readiness, liveness, startup, 0)
    model = Model({READINESS: readiness, LIVENESS: liveness, STARTUP: startup})
    now = 0.0
    for kind, outcome, passed in events:
        now += passed
        if kind not in model.expected:
            with pytest.raises(IllegalEvent):
                health.observe(kind, Finding(outcome), now)
            continue
        health.observe(kind, Finding(outcome), now)
        model.history[kind].append((now, outcome))
        verdict = health.verdict()
        assert (verdict.ready, verdict.alive) == (model.ready, model.alive)
        assert set(health.expected) == model.expected
        assert bool(verdict.reason) is not (verdict.ready and verdict.alive)
