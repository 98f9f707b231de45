"""Colours only where a person looks on."""

from __future__ import annotations

import io

import pytest

from sidecar.terminal import Painter


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environ", "painted"),
    [
        (Terminal(), {}, "\x1b[32mok\x1b[0m"),
        (Terminal(), {"NO_COLOR": ""}, "ok"),
        (Terminal(), {"TERM": "dumb"}, "ok"),
        (io.StringIO(), {}, "ok"),
    ],
)
def test_colours(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, environ: dict[str, str], painted: str) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert Painter(stream)("green", "ok") == painted
