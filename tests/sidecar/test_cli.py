"""The command line: what is wrong is said in words, with the right exit code, and imports stay light."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sidecar import VERSION
from sidecar.cli import COMMANDS, main
from tests.policy.source import ROOT

MISTAKES = {
    "no such command": (["upp"], 2, "invalid choice: 'upp'"),
    "no path": (["up"], 2, "the following arguments are required: PATH"),
    "no such option": (["status", "--jsn"], 2, "unrecognized arguments: --jsn"),
    "admin is no address": (["status", "--admin", "nowhere"], 2, '"nowhere" is not HOST:PORT'),
    "admin port": (["--admin", "1.2.3.4:99999", "status"], 2, "is not a port number from 0 to 65535"),
    "log level": (["status", "--log-level", "loud"], 2, "invalid choice: 'loud'"),
    "window": (["status", "--window", "0"], 2, "must be above 0 and at most 60"),
    "window is no number": (["status", "--window", "x"], 2, "--window: 'x' is not a number"),
    "rate is no number": (["load", "http://h/", "--rate", "x"], 2, "--rate: 'x' is not a number"),
    "half a connection": (["load", "http://h/", "--rate", "1", "--connections", "1.5"], 2, "not a whole number"),
    "no such path": (["up", "{tmp}/nowhere"], 1, "nowhere"),
    "empty folder": (["up", "{tmp}"], 1, "nothing to run in {tmp}: there is no Service or Deployment"),
    "nobody answers": (["status", "--admin", "127.0.0.1:1"], 1, "no weft answers at 127.0.0.1:1 (Connection refused)"),
    "state is a file": (["up", "--state", "/dev/null", "{tmp}"], 1, "the state folder /dev/null cannot be used"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name: str, tmp_path: Path) -> None:
    words, code, expected = MISTAKES[name]
    words = [word.replace("{tmp}", str(tmp_path)) for word in words]
    state = [] if "--state" in words or code == 2 else ["--state", str(tmp_path / "state")]
    done = weft(*words, *state)
    assert done.returncode == code, done.stderr
    assert expected.replace("{tmp}", str(tmp_path)) in done.stderr
    assert done.stderr.startswith("weft") or code == 1
    assert "Traceback" not in done.stderr


def weft(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sidecar", *words], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    listed = capsys.readouterr().out
    assert set(COMMANDS) <= set(listed.split())
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"weft {VERSION}\n"


def test_the_version_is_the_one_of_the_distribution() -> None:
    assert f'\nversion = "{VERSION}"\n' in (ROOT / "pyproject.toml").read_text()


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    script = f"{sys.executable} -m sidecar validate {tmp_path} {tmp_path} | true"
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


LIGHT = {
    "validate": ("aiohttp", "asyncio", "mesh.proxy"),
    "up": ("yaml", "dns", "aiohttp"),
    "status": ("aiohttp", "yaml"),
    "explain": ("aiohttp", "yaml", "mesh.proxy"),
    "tap": ("aiohttp", "yaml", "mesh.proxy"),
    "get": ("aiohttp", "yaml", "mesh.proxy"),
    "diff": ("aiohttp", "yaml", "mesh.proxy"),
    "schema": ("aiohttp", "yaml", "mesh.proxy"),
}


@pytest.mark.parametrize("command", LIGHT)
def test_a_command_imports_only_what_it_needs(command: str) -> None:
    script = (
        "import sys, sidecar.cli as cli\n"
        f"modules = cli._command_modules([{command!r}, 'x'])\n"
        "cli._build_parser(modules)\n"
        f"print(*(m for m in {LIGHT[command]!r} if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
