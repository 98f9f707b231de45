"""A small payment service: an HTTP/1.1 server that listens on HOST and PORT and says which replica answered.

It stands for any application, so it uses nothing but the standard library and knows nothing of Weft.
"""

from __future__ import annotations

import json
import os
import signal
import socketserver
import sys
from threading import Lock

REPLICA = os.environ.get("HOSTNAME") or f"payment-{os.getpid()}"


class Payments:
    """The payments that this replica has taken."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._taken = 0

    def take(self) -> int:
        with self._lock:
            self._taken += 1
            return self._taken


PAYMENTS = Payments()


def answer(method: str, path: str) -> tuple[int, dict[str, object]]:
    """What the service says to a request: a status and an object."""
    if path == "/healthz":
        return 200, {"ok": True}
    if method == "POST":
        return 201, {"service": "payment", "replica": REPLICA, "payment": PAYMENTS.take()}
    return 200, {"service": "payment", "replica": REPLICA, "method": method, "path": path}


class Connection(socketserver.StreamRequestHandler):
    """One client's connection: requests are answered until the client closes it."""

    disable_nagle_algorithm = True
    timeout = 75

    def handle(self) -> None:
        try:
            while self.one_request():
                pass
        except (OSError, ValueError):
            return  # the client went away, stayed silent, or does not speak HTTP

    def one_request(self) -> bool:
        """Answer one request; whether another may follow on this connection."""
        method, path, fields = self.read_head()
        if not method:
            return False
        self.rfile.read(int(fields.get("content-length", "0")))
        status, payload = answer(method, path)
        body = json.dumps(payload).encode() + b"\n"
        head = f"HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + (b"" if method == "HEAD" else body))
        return fields.get("connection", "").lower() != "close"

    def read_head(self) -> tuple[str, str, dict[str, str]]:
        """Method, path and fields of the next request; an empty method: the client is done."""
        line = self.rfile.readline(16_384).decode("latin-1")
        if not line:
            return "", "", {}
        method, path, _version = line.split()
        fields = {}
        while line := self.rfile.readline(65_536).strip().decode("latin-1"):
            name, _, value = line.partition(":")
            fields[name.lower()] = value.strip()
        return method, path, fields


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    where = os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8080"))
    with Server(where, Connection) as server:
        print(f"{REPLICA} listens on {where[0]}:{where[1]}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
