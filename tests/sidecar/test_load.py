"""``weft load`` as a user types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sidecar.cli import main


class Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(503 if self.path == "/busy" else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the base class gives it
        """Tests are quiet."""


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What the command prints when all goes well."""
    assert main(["load", *words]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    return told.out


def test_a_report_as_json(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = [f"{url}/busy", "--rate", "100", "--duration", "0.3", "--connections", "3", "--json"]
    report = json.loads(printed(capsys, *words))
    assert (report["statuses"], report["sent"]) == ({"503": 30}, 30)
    assert 0 < report["latency"]["p50"] <= report["latency"]["p99.9"] <= report["latency"]["max"]


def test_a_report_as_text(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = [url, "--rate", "100", "--duration", "0.2", "--connections", "2", "--arrivals", "poisson"]
    assert "x 200" in printed(capsys, *words)


def test_a_plot_on_the_terminal_and_as_a_picture(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [url, "--rate", "100", "--duration", "0.3", "--connections", "2"]
    assert "^ max" in printed(capsys, *words, "--plot")
    picture = tmp_path / "load.png"
    report = json.loads(printed(capsys, *words, "--plot", str(picture), "--json"))
    assert (len(report["timeline"]), sum(each["answered"] for each in report["timeline"])) == (3, 30)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_terminal_sees_how_it_goes(url: str) -> None:
    primary, secondary = os.openpty()
    words = [url, "--rate", "100", "--duration", "1.2", "--connections", "2", "--json"]
    argv = [sys.executable, "-m", "sidecar", "load", *words]
    done = subprocess.run(
        argv, stdout=subprocess.PIPE, stderr=secondary, timeout=30, check=False, env={**os.environ, "TERM": "xterm"}
    )
    os.close(secondary)
    with open(primary, "rb", buffering=0) as terminal:
        seen = b""
        with suppress(OSError):  # nobody holds its other end any more
            while piece := terminal.read(10_000):
                seen += piece
    assert b" of 1.2 s: " in seen
    assert seen.endswith(b"\r\x1b[K")
    assert json.loads(done.stdout)["sent"] == 120


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["https://h/", "--rate", "1"], 1, "only http://"),
        (["http://127.0.0.1:1/", "--rate", "1", "--duration", "1"], 1, "takes no connection"),
        (
            ["http://a..b/", "--rate", "1", "--duration", "1"],
            1,
            "no address: give an address, and with it -H 'Host: a..b'",
        ),
        (["http://h/"], 2, "--rate"),
        (["http://h/", "--rate", "-3"], 2, "not above 0"),
        (["http://h/", "--rate", "1", "--connections", "0"], 2, "1..10000"),
        (["http://h/", "--rate", "1", "--plot", "load.pdf"], 1, "call it load.png"),
        (["http://h/", "--rate", "1", "--plot", "--json"], 1, "give --plot FILE.png"),
    ],
)
def test_mistakes_are_told_in_words(words: list[str], code: int, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(["load", *words]) == code
    told = capsys.readouterr()
    assert told.out == ""
    assert says in told.err
    assert "Traceback" not in told.err


def ended(words: list[str]) -> int:
    """The exit code: of a command that was carried out, or of words that are none."""
    try:
        return main(words)
    except SystemExit as end:
        return int(str(end.code))
