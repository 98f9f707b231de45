"""What is remembered is enough for every window, and bounded."""

from __future__ import annotations

import pytest

from mesh.autoscaling import history as module
from mesh.autoscaling.history import LONGEST_PERIOD, LONGEST_WINDOW, History


def test_of_each_number_the_latest_moment_counts() -> None:
    history = History().recommended(3, 10.0).recommended(5, 20.0).recommended(3, 30.0)
    assert history.recommendations == {5: 20.0, 3: 30.0}


def test_recommendations_are_forgotten_after_the_longest_window() -> None:
    history = History().recommended(3, 10.0).recommended(5, 10.0 + LONGEST_WINDOW)
    assert history.recommendations == {5: 10.0 + LONGEST_WINDOW}


def test_changes_are_netted_over_a_period() -> None:
    history = History().changed(4, 0.0).changed(-1, 10.0).changed(2, 20.0)
    assert [history.net(period, 25.0) for period in (5, 6, 15, 16, 25, 26)] == [0, 2, 2, 1, 1, 5]


def test_changes_are_forgotten_after_the_longest_period() -> None:
    history = History().changed(4, 0.0).changed(1, LONGEST_PERIOD)
    assert [change.by for change in history.changes] == [1]


def test_both_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    most = 100
    monkeypatch.setattr(module, "MOST", most)
    history = History()
    for number in range(most + 10):
        history = history.recommended(number, number / 1e6)
    assert len(history.recommendations) == most
    assert min(history.recommendations) == 10
    full = History(changes=history.changed(1, 1.0).changes * most)
    assert len(full.changed(1, 2.0).changes) == most


def test_a_history_is_a_value() -> None:
    before = History()
    before.recommended(1, 1.0)
    before.changed(1, 1.0)
    assert before == History()
