from __future__ import annotations

import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.registry.content import SERIALS, later
from discovery.registry.serials import BLOCK, Serials, kept_in

ZONES = (b"\1a\0", b"\1b\0", b"\1c\0")
STEPS = st.lists(st.one_of(st.none(), st.sets(st.sampled_from(ZONES)), st.sampled_from(ZONES)), max_size=20)


@given(st.integers(0, SERIALS - 1), STEPS)
def test_a_zone_that_changed_is_later_and_any_other_is_as_it_was(
    start: int, steps: list[set[bytes] | bytes | None]
) -> None:
    serials = Serials(start)
    serials.all_changed()
    gone: set[bytes] = set()
    for step in steps:
        before = {zone: serials.of(zone) for zone in ZONES}
        if isinstance(step, bytes):
            serials.gone(step)
            gone.add(step)
            continue
        if step is None:
            serials.all_changed()
        else:
            serials.changed(step)
        changed = set(ZONES) if step is None else step
        for zone in ZONES:
            if zone in changed:
                assert zone in gone or later(serials.of(zone), before[zone])
                gone.discard(zone)
            else:
                assert serials.of(zone) == before[zone]
        assert 0 not in map(serials.of, ZONES)


def test_who_starts_goes_on_after_what_was_given_out(tmp_path: Path) -> None:
    path = tmp_path / "serials"
    now = 1_700_000_000.0
    first = kept_in(path, now)
    for _ in range(3 * BLOCK + 7):
        first.changed({ZONES[0]})
    second = kept_in(path, now)
    second.all_changed()
    assert later(second.of(ZONES[1]), first.of(ZONES[0]))
    assert second.of(ZONES[1]) - int(now) <= 4 * BLOCK + 1
    third = kept_in(path, now + 10 * BLOCK)
    third.all_changed()
    assert third.of(ZONES[0]) == int(now) + 10 * BLOCK + 1


@pytest.mark.parametrize("content", ["", "none", "-"])
def test_a_file_that_says_nothing_leaves_the_clock(tmp_path: Path, content: str) -> None:
    path = tmp_path / "serials"
    path.write_text(content)
    made = kept_in(path, 1000.5)
    made.all_changed()
    assert made.of(ZONES[0]) == 1001


def test_it_is_written_seldom_and_ahead(tmp_path: Path) -> None:
    told: list[int] = []
    serials = Serials(7, told.append)
    for _ in range(BLOCK):
        serials.changed(ZONES)
    assert told == [7 + BLOCK]
    serials.changed(ZONES)
    assert told == [7 + BLOCK, 7 + 2 * BLOCK]


def test_a_folder_that_cannot_be_written_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = kept_in(tmp_path / "absent" / "serials", 5)
    with caplog.at_level(logging.WARNING):
        made.all_changed()
    assert "cannot be kept" in caplog.text
    assert made.of(ZONES[0]) == 6
