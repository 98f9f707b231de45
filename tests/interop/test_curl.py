"""curl, which knows more of HTTP than most clients, against a real ``weft up``."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.interop.programs import needs, run
from tests.scenarios.weft import Weft

pytestmark = needs("curl")

UPLOAD = random.Random(2).randbytes(3_000_000)
UPLOAD_SHA256 = hashlib.sha256(UPLOAD).hexdigest()


@pytest.fixture(scope="module")
def upload(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("curl") / "upload.bin"
    path.write_bytes(UPLOAD)
    return path


def url(weft: Weft, path: str = "/", service: str = "app") -> str:
    return f"http://{weft.address(service)}{path}"


def curl(*words: str, stdin: bytes = b"") -> bytes:
    return run("curl", "--silent", "--show-error", "--fail", "--max-time", "30", *words, stdin=stdin).stdout


def asked(*words: str, stdin: bytes = b"") -> Any:
    """What the application says of the request that it got."""
    return json.loads(curl(*words, stdin=stdin))


def test_a_connection_is_used_again(weft: Weft) -> None:
    address = url(weft)
    connects = curl("--write-out", "%{num_connects}\n", *(["--output", "/dev/null", address] * 4))
    assert connects.split() == [b"1", b"0", b"0", b"0"]


def test_head(weft: Weft) -> None:
    first, second = url(weft, "/bytes?count=0"), url(weft)
    told = curl("--head", "--write-out", "\n%{num_connects} %{size_download}\n", first, second).decode()
    assert told.count("HTTP/1.1 200") == 2
    assert "Content-Length: " in told
    assert told.count("\n1 0\n") == 1
    assert told.endswith("\n0 0\n")


def test_a_large_post_after_100_continue(weft: Weft, upload: Path) -> None:
    words = ["--header", "Expect: 100-continue", "--expect100-timeout", "20", "--data-binary", f"@{upload}"]
    done = run("curl", "--verbose", "--silent", "--max-time", "30", *words, url(weft))
    seen = json.loads(done.stdout)
    assert (seen["method"], seen["length"], seen["sha256"]) == ("POST", len(UPLOAD), UPLOAD_SHA256)
    assert b"< HTTP/1.1 100" in done.stderr


def test_a_chunked_upload_from_a_pipe(weft: Weft) -> None:
    seen = asked("--upload-file", "-", url(weft, "/there"), stdin=UPLOAD)
    assert (seen["method"], seen["target"]) == ("PUT", "/there")
    assert (seen["length"], seen["sha256"]) == (len(UPLOAD), UPLOAD_SHA256)
    assert "Transfer-Encoding: chunked" in seen["lines"]


def test_http_1_0(weft: Weft) -> None:
    seen = asked("--http1.0", url(weft))
    assert seen["version"] == "HTTP/1.1", "what a hop speaks is its own business"
    assert "Via: 1.0 weft" in seen["lines"]


@pytest.mark.parametrize("version", ["--http1.0", "--http1.1"])
@pytest.mark.parametrize("query", ["", "&chunked"])
def test_a_body_arrives_whole(version: str, query: str, weft: Weft) -> None:
    body = curl(version, url(weft, f"/bytes?count=1000003{query}"))
    assert len(body) == 1_000_003
    assert body == (b"0123456789abcdef" * 65_536)[: len(body)]


def test_a_cut_body_is_an_error(weft: Weft) -> None:
    """The replica is killed in the midst of its answer; curl's code 18 is for a partial file."""
    words = ("curl", "--silent", "--no-buffer", "--include", "--max-time", "30")
    with subprocess.Popen([*words, url(weft, "/half?count=1000")], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        head = b""
        while b"\r\n\r\n" not in head:
            head += os.read(process.stdout.fileno(), 4096)
        os.kill(int(head.partition(b"X-Pid: ")[2].split()[0]), signal.SIGKILL)
        process.communicate()
        assert process.returncode == 18


def test_many_at_once(weft: Weft) -> None:
    pages = []
    for number in range(60):
        pages += ["--output", "/dev/null", f"http://{weft.address('app', number % 2)}/?page={number}"]
    words = ("--parallel", "--parallel-immediate", "--parallel-max", "20", "--write-out", "%{http_code}\n")
    assert curl(*words, *pages).split() == [b"200"] * 60
