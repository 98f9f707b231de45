"""The command line: what is wrong is said in words, with the right exit code, and imports stay light."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sidecar import VERSION
from sidecar.cli import COMMANDS, main
from tests.policy.source import ROOT
from tests.scenarios.weft import run_weft
from tests.sidecar.commanding import answering

MISTAKES = {
    "no such command": (["upp"], 2, "invalid choice: 'upp'"),
    "no such path": (["up", "{tmp}/nowhere"], 1, "nowhere"),
    "empty folder": (["up", "{tmp}"], 1, "nothing to run in {tmp}: there is no Service or Deployment"),
    "nobody answers": (["status", "--admin", "127.0.0.1:1"], 1, "no weft answers at 127.0.0.1:1 (Connection refused)"),
    "state is a file": (["up", "--state", "/dev/null", "{tmp}"], 1, "the state folder /dev/null cannot be used"),
}
WORDS = {
    "no such command, and a word that is one": (["wxyz", "up"], "(choose from up, registry, node,"),
    "a command with a slip": (["vaildate", "up"], "invalid choice: 'vaildate'; did you mean \"validate\"?"),
    "no path": (["up"], "the following arguments are required: PATH"),
    "no such option": (["status", "--jsn"], 'weft status: unknown option --jsn; did you mean "--json"?'),
    "no such option, and no path": (["up", "--foo"], "weft up: unknown option --foo\nweft up --help says more"),
    "no such option of a part": (
        ["token", "create", "--rnu"],
        'weft token create: unknown option --rnu; did you mean "--run"',
    ),
    "no such letter": (["up", "-x", "."], "weft up: unknown option -x\n"),
    "no such option before the command": (["--stat", "x", "--bar=1", "up"], "weft: unknown option --bar\n"),
    "admin is no address": (["status", "--admin", "nowhere"], '"nowhere" is not HOST:PORT'),
    "admin port": (["--admin", "1.2.3.4:99999", "status"], "is not a port number from 0 to 65535"),
    "log level": (["status", "--log-level", "loud"], "invalid choice: 'loud'"),
    "window": (["status", "--window", "0"], "must be above 0 and at most 60"),
    "window is no number": (["status", "--window", "x"], '--window: "x" is not a duration, such as'),
    "duration": (["load", "http://h/", "--rate", "1", "--duration", "3 s"], '"3 s" is not a duration, such as'),
    "no time": (["load", "http://h/", "--rate", "1", "--timeout", "0s"], "--timeout: 0s is not above 0"),
    "rate is no number": (["load", "http://h/", "--rate", "x"], "--rate: 'x' is not a number"),
    "less than none": (["tap", "--count", "-3"], "--count: -3 is not a whole number in 1.."),
    "half a connection": (["load", "http://h/", "--rate", "1", "--connections", "1.5"], "not a whole number"),
}
"""The command line is not even read."""


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name: str, tmp_path: Path) -> None:
    words, code, expected = MISTAKES[name]
    words = [word.replace("{tmp}", str(tmp_path)) for word in words]
    state = [] if "--state" in words else ["--state", str(tmp_path / "state")]
    done = run_weft(*words, *state)
    assert done.returncode == code, done.stderr
    assert expected.replace("{tmp}", str(tmp_path)) in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", WORDS)
def test_words_that_are_none(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    words, expected = WORDS[name]
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert expected in told
    assert told.startswith("weft")


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


LEFT = {
    "little": ("validate {tmp} {tmp}", ""),
    "of argparse": ("validate --help", ""),
    "more than is buffered": ("schema", ""),
    "where a connection may fail too": ("load http://{web}/ --rate 50 --duration 0.1s --json", "1"),
}


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with answering({"/": ""}) as web:
        running = {
            name: subprocess.Popen(
                [sys.executable, "-m", "sidecar", *words.format(tmp=tmp_path, web=web).split()], cwd=ROOT,
                env=os.environ | {"PYTHONUNBUFFERED": unbuffered}, stdout=writing, stderr=subprocess.PIPE,
            )
            for name, (words, unbuffered) in LEFT.items()
        }  # fmt: skip
        os.close(writing)
        for name, each in running.items():
            with each:
                _, said = each.communicate(timeout=30)
            assert (said, each.returncode) == (b"", 0), name


def test_a_full_disk_is_told_of_in_words() -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "sidecar", "schema"], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert (done.stderr, done.returncode) == (b"weft: No space left on device\n", 1)


def test_a_closed_output_is_no_error() -> None:
    closed = ["sh", "-c", f'"{sys.executable}" -m sidecar schema >&-']
    done = subprocess.run(closed, cwd=ROOT, stderr=subprocess.PIPE, check=False)
    assert (done.stderr, done.returncode) == (b"", 0)


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
