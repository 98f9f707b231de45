"""The PNG: drawn for real, and refused in words where it cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.load import picture
from sidecar.load.picture import NoPicture, check, save
from sidecar.load.timeline import Timeline
from tests.sidecar.load.test_report import report


@pytest.mark.parametrize("answers", [0, 30])
def test_a_picture_is_saved(tmp_path: Path, answers: int) -> None:
    timeline = Timeline(1.0)
    timeline.failed(0.5)
    for number in range(answers):
        timeline.answered(number / 30, 0.001 * (number + 1))
    path = tmp_path / "load.png"
    check(path)
    save(report(timeline=timeline.slices(), url="http://h/$x^$"), path)
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_what_cannot_be_drawn_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NoPicture, match=r"call it .*load\.png"):
        check(tmp_path / "load.pdf")
    with pytest.raises(NoPicture, match="there is no folder"):
        check(tmp_path / "nowhere" / "load.png")
    monkeypatch.setattr(picture, "find_spec", lambda _: None)
    with pytest.raises(NoPicture, match=r"\.venv/bin/pip install -e '\.\[plot\]' in"):
        check(tmp_path / "load.png")
