"""What the three services of the shop share: a small HTTP/1.1 server and the ways to make it misbehave.

Every service answers these besides its own paths:

    GET  /healthz       200, or 503 after /unready
    GET  /slow?ms=500   answers after so many milliseconds (30 s at most)
    POST /unready       fails the readiness probe until /ready
    POST /ready         passes it again
    POST /crash         ends the process at once

The last three change something, so they are no GET: a GET that fails may be sent to the next replica, and one
that crashes what it meets would crash them all.
"""

from __future__ import annotations

import json
import os
import signal
import socketserver
import sys
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

REPLICA = os.environ.get("HOSTNAME") or f"replica-{os.getpid()}"
READY_FILE = os.environ.get("READY_FILE", "")
"""Holds the process's id as long as the replica wants traffic, for probes that run a command."""


class Request(NamedTuple):
    method: str
    path: str
    query: Mapping[str, str]


class Answer(NamedTuple):
    status: int
    body: Mapping[str, object]


Handler = Callable[[Request], Answer]


class Mood:
    """Whether the replica says that it is ready."""

    def __init__(self) -> None:
        self.ready = True

    def change(self, ready: bool) -> Answer:
        self.ready = ready
        if READY_FILE and ready:
            with open(READY_FILE, "w", encoding="ascii") as file:
                file.write(f"{os.getpid()}\n")
        elif READY_FILE and os.path.exists(READY_FILE):
            os.unlink(READY_FILE)
        return Answer(200, {"replica": REPLICA, "ready": ready})


MOOD = Mood()


def health(_request: Request) -> Answer:
    return Answer(200 if MOOD.ready else 503, {"replica": REPLICA, "ready": MOOD.ready})


def slow(request: Request) -> Answer:
    seconds = min(float(request.query.get("ms", "1000")) / 1000, 30.0)
    time.sleep(max(seconds, 0.0))
    return Answer(200, {"replica": REPLICA, "slept": seconds})


def crash(_request: Request) -> Answer:
    os._exit(1)


COMMON: Mapping[str, Handler] = {"/healthz": health, "/slow": slow}
CHANGES: Mapping[str, Handler] = {
    "/unready": lambda _request: MOOD.change(False),
    "/ready": lambda _request: MOOD.change(True),
    "/crash": crash,
}

REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    502: "Bad Gateway",
    503: "Service Unavailable",
}


def parse_target(target: str) -> tuple[str, dict[str, str]]:
    """Path and query of a request target; the values are taken as they stand."""
    path, _, query = target.partition("?")
    return path, dict(pair.partition("=")[::2] for pair in query.split("&") if pair)


class Connection(socketserver.StreamRequestHandler):
    """One client's connection: requests are answered until the client closes it."""

    disable_nagle_algorithm = True
    timeout = 75
    handlers: Mapping[str, Handler] = {}

    def handle(self) -> None:
        try:
            while self.one_request():
                pass
        except (OSError, ValueError):
            return  # the client went away, stayed silent, or does not speak HTTP

    def one_request(self) -> bool:
        """Answer one request; whether another may follow on this connection."""
        method, target, fields = self.read_head()
        if not method:
            return False
        self.rfile.read(int(fields.get("content-length", "0")))
        self.send(method, self.answer(method, target))
        return fields.get("connection", "").lower() != "close"

    def answer(self, method: str, target: str) -> Answer:
        path, query = parse_target(target)
        handler = self.handlers.get(path) or COMMON.get(path) or CHANGES.get(path)
        if path in CHANGES and method != "POST":
            return Answer(405, {"replica": REPLICA, "error": f"{path} changes something: use POST"})
        if handler is None:
            return Answer(404, {"replica": REPLICA, "error": f"no such path: {path}"})
        try:
            return handler(Request(method, path, query))
        except ValueError as error:
            return Answer(400, {"replica": REPLICA, "error": str(error)})

    def send(self, method: str, answer: Answer) -> None:
        body = json.dumps(answer.body).encode() + b"\n"
        head = (
            f"HTTP/1.1 {answer.status} {REASONS[answer.status]}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self.wfile.write(head.encode() + (b"" if method == "HEAD" else body))

    def read_head(self) -> tuple[str, str, dict[str, str]]:
        """Method, target and fields of the next request; an empty method: the client is done."""
        line = self.rfile.readline(16_384).decode("latin-1")
        if not line:
            return "", "", {}
        method, target, _version = line.split()
        fields = {}
        while line := self.rfile.readline(65_536).strip().decode("latin-1"):
            name, _, value = line.partition(":")
            fields[name.lower()] = value.strip()
        return method, target, fields


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024


def serve(handlers: Mapping[str, Handler]) -> None:
    """Answer on HOST and PORT until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    Connection.handlers = handlers
    where = os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8080"))
    with Server(where, Connection) as server:
        MOOD.change(True)
        print(f"{REPLICA} listens on {where[0]}:{where[1]}", flush=True)
        server.serve_forever()
