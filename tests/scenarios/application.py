"""An application that behaves as it is told, run as a replica by scenarios; standard library only.

    /               what it was sent: method, target, field lines, length and SHA-256 of the body
    /bytes?count=N  N bytes, with Content-Length, or chunked with &chunked
    /half?count=N   announces N bytes, sends half of them, and then nothing
    /slow?ms=N      the same as /, after so many milliseconds; with &then=HOST:PORT what another answers first
    /taken          how many requests it has taken, not counting these and probes
    /unready        fails its readiness probe until /ready
    /hoard          reads no more of this connection, and closes it at /release

Environment: TURNS=short closes every connection right after a response without announcing it; GATE names a file
that keeps the program from starting while it exists.  A port called `tcp` echoes, and answers
``who?`` with its process id.

Scenarios start it a hundred times, so it is made to start fast: a thread for each connection, of the modules beneath
`socket`, `threading` and `json`, which take an eighth of the time that `asyncio` takes.
"""

from __future__ import annotations

import os
import sys
import time
from _json import encode_basestring_ascii as quoted
from _signal import SIGTERM, signal
from _socket import AF_INET, IPPROTO_TCP, SHUT_WR, SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET, TCP_NODELAY, socket
from _thread import allocate_lock, stack_size, start_new_thread

REPLICA = os.environ.get("HOSTNAME", "")
SHORT = os.environ.get("TURNS") == "short"
PIECE = b"0123456789abcdef" * 4096
NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"""SHA-256 of no bytes."""
STACK = 1 << 18
"""Bytes for a thread, of which a soak run has thousands."""
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Connection:
    """A socket that is read up to a separator, or a count of bytes; OSError if it ends before."""

    def __init__(self, sock: socket) -> None:
        self.sock = sock
        self.send = sock.sendall
        self.unread = b""

    def until(self, separator: bytes) -> bytes:
        while (end := self.unread.find(separator)) < 0:
            self.more()
        return self.take(end + len(separator))

    def pieces(self, count: int) -> Iterator[bytes]:
        while count:
            if not self.unread:
                self.more()
            piece = self.take(count)
            count -= len(piece)
            yield piece

    def more(self) -> None:
        data = self.sock.recv(65_536)
        if not data:
            raise EOFError
        self.unread += data

    def take(self, count: int) -> bytes:
        taken, self.unread = self.unread[:count], self.unread[count:]
        return taken


class Application:
    def __init__(self) -> None:
        self.ready = True
        self.taken = 0
        self.counting = allocate_lock()
        self.hoarding = allocate_lock()
        self.hoarding.acquire()

    def serve(self, sock: socket) -> None:
        """One client's connection."""
        connection = Connection(sock)
        while self.answer(connection) and not SHORT:
            pass

    def answer(self, connection: Connection) -> bool:
        """Answer one request; whether another may follow."""
        head = connection.until(b"\r\n\r\n").decode("latin-1").split("\r\n")[:-2]
        method, target, version = head[0].split()
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        path, _, words = target.partition("?")
        if path == "/hoard":
            self.count()
            with self.hoarding:
                return False
        if fields.get("expect", "").lower() == "100-continue":
            connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        length, digest = read_body(connection, fields)
        query = {name: value for name, _, value in (word.partition("=") for word in words.split("&"))}
        if path not in ("/healthz", "/taken"):
            self.count()
        if path == "/slow":
            time.sleep(int(query["ms"]) / 1000)
        if "then" in query:
            send(connection, 200, status_line(*query["then"].split(":")), head_only=False)
        elif path in ("/bytes", "/half"):
            send_bytes(connection, int(query["count"]), "chunked" in query, path == "/half")
        else:
            document = {
                "replica": quoted(REPLICA), "pid": os.getpid(), "method": quoted(method), "target": quoted(target),
                "version": quoted(version), "lines": f"[{', '.join(map(quoted, head[1:]))}]",
                "length": length, "sha256": quoted(digest), "taken": self.taken,
            }  # fmt: skip
            send(connection, self.status(path), b"" if path == "/healthz" else as_json(document), method == "HEAD")
        return fields.get("connection", "").lower() != "close" and version == "HTTP/1.1"

    def count(self) -> None:
        with self.counting:
            self.taken += 1

    def status(self, path: str) -> int:
        if path == "/release" and self.hoarding.locked():
            self.hoarding.release()
        if path in ("/ready", "/unready"):
            self.ready = path == "/ready"
        return 200 if self.ready or path != "/healthz" else 503


def as_json(document: dict[str, object]) -> bytes:
    return ("{" + ", ".join(f"{quoted(name)}: {value}" for name, value in document.items()) + "}").encode()


def send(connection: Connection, status: int, body: bytes, head_only: bool) -> None:
    head = f"HTTP/1.1 {status} Whatever\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.send(head.encode() + (b"" if head_only else body))


def send_bytes(connection: Connection, count: int, chunked: bool, half: bool) -> None:
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {count}"
    connection.send(f"HTTP/1.1 200 OK\r\nX-Pid: {os.getpid()}\r\n{framing}\r\n\r\n".encode())
    left = count // 2 if half else count
    while left:
        piece = PIECE[:left]
        connection.send(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        left -= len(piece)
    while half:
        time.sleep(3600)
    if chunked:
        connection.send(b"0\r\n\r\n")


def status_line(host: str, port: str) -> bytes:
    """What another application says to a request, on a connection of its own."""
    sock = socket(AF_INET, SOCK_STREAM)
    try:
        sock.connect((host, int(port)))
        sock.sendall(b"GET / HTTP/1.1\r\nHost: other\r\n\r\n")
        return Connection(sock).until(b"\n")
    finally:
        sock.close()


def read_body(connection: Connection, fields: dict[str, str]) -> tuple[int, str]:
    """Length and SHA-256 of a request's body."""
    chunked = fields.get("transfer-encoding", "").lower() == "chunked"
    announced = int(fields.get("content-length", "0"))
    if not chunked and not announced:
        return 0, NOTHING
    from hashlib import sha256

    length, digest = 0, sha256()
    for piece in chunks(connection) if chunked else connection.pieces(announced):
        digest.update(piece)
        length += len(piece)
    return length, digest.hexdigest()


def chunks(connection: Connection) -> Iterator[bytes]:
    while size := int(connection.until(b"\r\n").split(b";")[0], 16):
        yield from connection.pieces(size)
        connection.until(b"\r\n")
    while connection.until(b"\r\n").strip():
        pass  # trailers


def echo(sock: socket) -> None:
    """Send back what comes, and end when it ends."""
    while data := sock.recv(65_536):
        sock.sendall(b"%d" % os.getpid() if data == b"who?" else data)
    sock.shutdown(SHUT_WR)


def listen(port: str) -> socket:
    sock = socket(AF_INET, SOCK_STREAM)
    sock.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    sock.bind((os.environ["HOST"], int(port)))
    sock.listen(1024)
    return sock


def accept(listening: socket, serve: Callable[[socket], None]) -> None:
    """Serve each connection in a thread of its own."""

    def serve_one(sock: socket) -> None:
        try:
            serve(sock)
        except (OSError, EOFError):
            pass  # the client went away
        finally:
            sock.close()

    while True:
        descriptor, _ = listening._accept()
        sock = socket(AF_INET, SOCK_STREAM, fileno=descriptor)
        sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        start_new_thread(serve_one, (sock,))


def main() -> None:
    stack_size(STACK)
    signal(SIGTERM, lambda *_: os._exit(0))
    if "PORT_TCP" in os.environ:
        start_new_thread(accept, (listen(os.environ["PORT_TCP"]), echo))
    accept(listen(os.environ["PORT_HTTP"]), Application().serve)


if __name__ == "__main__":
    if os.path.exists(os.environ.get("GATE", "")):
        sys.exit(1)
    main()
