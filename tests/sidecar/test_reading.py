"""Where commands look for a running weft, and what they say when there is none."""

from __future__ import annotations

import socket
import threading
from contextlib import nullcontext
from pathlib import Path

import pytest

from sidecar.errors import UserError
from sidecar.options import Address, Options
from sidecar.reading import DEFAULT, AdminClient, admin_address
from sidecar.state import StateFolder

ADDRESS = Address("127.0.0.1", 7)


def options(state: Path, admin: Address | None = None) -> Options:
    return Options(state, admin, "", "text")


def test_the_option_wins_then_the_state_folder_then_the_default(tmp_path: Path) -> None:
    assert admin_address(options(tmp_path)) == DEFAULT
    folder = StateFolder.open(tmp_path)
    folder.announce_admin("127.0.0.9:99")
    assert admin_address(options(tmp_path)) == Address("127.0.0.9", 99)
    assert admin_address(options(tmp_path, ADDRESS)) == ADDRESS
    folder.announce_admin("rubbish")
    assert admin_address(options(tmp_path)) == DEFAULT
    folder.close()


ANSWERS = {
    "not http": (b"220 mail ready\r\n", "no weft answers"),
    "nothing": (b"", "no weft answers"),
    "another server": (b"HTTP/1.0 404 Not Found\r\n\r\n", r"is not weft \(/x gave 404\)"),
    "no JSON": (b"HTTP/1.0 200 OK\r\n\r\n<html>", r"is not weft \(/x is no JSON\)"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_what_is_not_weft_is_said(name: str) -> None:
    answer, expected = ANSWERS[name]
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer_once, args=(server, answer))
        thread.start()
        with pytest.raises(UserError, match=expected):
            AdminClient(Address(*server.getsockname())).json("/x")
        thread.join()


def answer_once(server: socket.socket, answer: bytes) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(4096)
        connection.sendall(answer)


LINES = {
    "lines": (b'HTTP/1.0 200 OK\r\n\r\n\n{"a":1}\n\n{"a":2}\n', [{"a": 1}, {"a": 2}], ""),
    "refused": (b'HTTP/1.0 400 Bad Request\r\n\r\n{"error":"no such filter"}', [], "no such filter"),
    "not weft": (b"HTTP/1.0 404 Not Found\r\n\r\n<html>", [], "gave 404"),
    "broken off": (b'HTTP/1.0 200 OK\r\n\r\n{"a":1}\n{"a"', [{"a": 1}], "has stopped"),
    "nothing": (b"", [], "no weft answers"),
}


@pytest.mark.parametrize("name", LINES)
def test_lines_of_a_stream(name: str) -> None:
    answer, expected, says = LINES[name]
    got: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer_once, args=(server, answer))
        thread.start()
        lines = AdminClient(Address(*server.getsockname())).lines("/x")
        with pytest.raises(UserError, match=says) if says else nullcontext():
            got.extend(lines)
        thread.join()
    assert got == expected
