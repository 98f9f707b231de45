"""Faults as text: for a terminal, for a pipe, for whoever prints them."""

from __future__ import annotations

import io
import re
import subprocess
import sys

import pytest

from config.errors import Fault
from config.meta import ObjectKey, Source
from sidecar.findings import Findings, lines, summary
from sidecar.terminal import Painter


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


FAULT = Fault("error", Source("m.yaml", 3, 1), "wrong\x1b[2J\n", ObjectKey("Service", "default", "web"), "spec")


def test_plain_text_in_a_pipe() -> None:
    findings, paint = Findings((FAULT,), 1), Painter(io.StringIO())
    assert lines(findings, paint) == [r"m.yaml:3:1: Service/default/web: spec: error: wrong\x1b[2J\n"]
    assert summary(findings, paint) == "1 object, 1 error, 0 warnings"


def test_colours_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    coloured = lines(Findings((FAULT,), 1), Painter(Terminal()))
    assert "\x1b[31merror:\x1b[0m" in coloured[0]
    assert "\x1b[2J" not in coloured[0]
    assert [re.sub(r"\x1b\[\d*m", "", line) for line in coloured] == lines(
        Findings((FAULT,), 1), Painter(io.StringIO())
    )


def test_who_serves_does_not_import_the_commands() -> None:
    asked = "import sidecar.written, sys; print([name for name in sys.modules if name.startswith('sidecar.commands')])"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
