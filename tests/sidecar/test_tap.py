"""``weft tap`` as a user types it, beside a weft that sends what it is told to."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sidecar import cli
from sidecar.commands.tap import line
from sidecar.terminal import Painter

RECORD = {
    "time": 0.0, "client": "192.0.2.1", "listener": "127.96.0.1:80", "namespace": "default", "service": "shop",
    "port": "http", "method": "GET", "host": "shop.example", "target": "/cart", "status": 200, "seconds": 0.0123,
    "endpoint": "10.0.0.1:80", "requestId": "f00d",
}  # fmt: skip


class Weft(BaseHTTPRequestHandler):
    asked = ""

    def do_GET(self) -> None:
        Weft.asked = self.path
        self.send_response(200)
        self.end_headers()
        for number in range(3):
            self.wfile.write(json.dumps(RECORD | {"status": 200 + number}).encode() + b"\n\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the base class gives it
        """Tests are quiet."""


@pytest.fixture
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Weft)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_lines_until_the_weft_ends(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["tap", "--admin", address]) == 0
    out = capsys.readouterr().out
    assert [text.split()[1] for text in out.splitlines()] == ["200", "201", "202"]
    assert Weft.asked == "/api/v1/tap?"


def test_filters_are_asked_for_and_a_count_ends_it(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = "-n shop -s cart -X GET --path /a --status 5xx,404 --failed --recent --count 2 --json"
    assert cli.main(["tap", "--admin", address, *words.split()]) == 0
    assert [json.loads(text)["status"] for text in capsys.readouterr().out.splitlines()] == [200, 201]
    assert Weft.asked == (
        "/api/v1/tap?namespace=shop&service=cart&method=GET&path=%2Fa&status=5xx%2C404&failed=1&recent=1"
    )


LINES = {
    "good": ({}, "200 12.3ms GET shop.example/cart from 192.0.2.1 to default/shop:http 10.0.0.1:80 id f00d"),
    "tried again": ({"tries": 3}, "10.0.0.1:80 try 3 id f00d"),
    "by the proxy": ({"status": 503, "reason": "no_room", "endpoint": "-"}, "503 no_room 12.3ms GET"),
    "lost": ({"lost": 7}, "7 more were not shown"),
}


@pytest.mark.parametrize("name", LINES)
def test_a_line(name: str) -> None:
    more, expected = LINES[name]
    assert expected in line(RECORD | more, Painter(io.StringIO()))


def test_a_client_cannot_steer_the_terminal() -> None:
    assert "\x1b" not in line(RECORD | {"target": "/\x1b[2J", "host": "\x1b"}, Painter(io.StringIO()))


def test_mistakes(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["tap", "--admin", "127.0.0.1:1"]) == 1
    assert "no weft answers at 127.0.0.1:1" in capsys.readouterr().err


def test_a_connection_is_told_by_what_it_moved() -> None:
    record = {
        "time": 0.0, "client": "192.0.2.1", "listener": "127.0.0.1:6379", "namespace": "default", "service": "db",
        "port": "redis", "endpoint": "127.0.0.1:7000", "seconds": 1.5, "bytesIn": 10, "bytesOut": 2048,
        "protocol": "tcp", "reason": "client_closed", "requestId": "ab",
    }  # fmt: skip
    shown = line(record, Painter(io.StringIO()))
    assert " tcp client_closed " in shown
    assert "10 bytes in, 2048 out from 192.0.2.1 to default/db:redis 127.0.0.1:7000 id ab" in shown
