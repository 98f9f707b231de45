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
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import sys
from urllib.parse import parse_qs, urlsplit

REPLICA = os.environ.get("HOSTNAME", "")
SHORT = os.environ.get("TURNS") == "short"
PIECE = b"0123456789abcdef" * 4096


class Application:
    def __init__(self) -> None:
        self.ready = True
        self.taken = 0
        self.never = asyncio.Event()
        self.released = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client's connection."""
        try:
            while await self.answer(reader, writer) and not SHORT:
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client went away
        finally:
            writer.close()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether another may follow."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
        method, target, version = head[0].split()
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        url = urlsplit(target)
        if url.path == "/hoard":
            self.taken += 1
            await self.released.wait()
            return False
        if fields.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        length, digest = await read_body(reader, fields)
        query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        self.taken += url.path not in ("/healthz", "/taken")
        if url.path == "/slow":
            await asyncio.sleep(int(query["ms"]) / 1000)
        if "then" in query:
            self.send(writer, 200, await status_line(*query["then"].split(":")), head_only=False)
        elif url.path in ("/bytes", "/half"):
            await self.send_bytes(writer, int(query["count"]), "chunked" in query, url.path == "/half")
        else:
            document = {
                "replica": REPLICA, "pid": os.getpid(), "method": method, "target": target, "version": version,
                "lines": head[1:], "length": length, "sha256": digest, "taken": self.taken,
            }  # fmt: skip
            self.send(writer, self.status(url.path), json.dumps(document).encode(), method == "HEAD")
        await writer.drain()
        return fields.get("connection", "").lower() != "close" and version == "HTTP/1.1"

    def status(self, path: str) -> int:
        if path == "/release":
            self.released.set()
        if path in ("/ready", "/unready"):
            self.ready = path == "/ready"
        return 200 if self.ready or path != "/healthz" else 503

    def send(self, writer: asyncio.StreamWriter, status: int, body: bytes, head_only: bool) -> None:
        head = f"HTTP/1.1 {status} Whatever\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + (b"" if head_only else body))

    async def send_bytes(self, writer: asyncio.StreamWriter, count: int, chunked: bool, half: bool) -> None:
        framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {count}"
        writer.write(f"HTTP/1.1 200 OK\r\nX-Pid: {os.getpid()}\r\n{framing}\r\n\r\n".encode())
        left = count // 2 if half else count
        while left:
            piece = PIECE[:left]
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            await writer.drain()
            left -= len(piece)
        if half:
            await self.never.wait()
        if chunked:
            writer.write(b"0\r\n\r\n")


async def status_line(host: str, port: str) -> bytes:
    """What another application says to a request, on a connection of its own."""
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET / HTTP/1.1\r\nHost: other\r\n\r\n")
    line = await reader.readline()
    writer.close()
    return line


async def read_body(reader: asyncio.StreamReader, fields: dict[str, str]) -> tuple[int, str]:
    """Length and SHA-256 of a request's body."""
    length, digest = 0, hashlib.sha256()
    if fields.get("transfer-encoding", "").lower() == "chunked":
        while size := int((await reader.readline()).split(b";")[0], 16):
            digest.update((await reader.readexactly(size + 2))[:-2])
            length += size
        while (await reader.readline()).strip():
            pass  # trailers
    else:
        length = left = int(fields.get("content-length", "0"))
        while left:
            piece = await reader.readexactly(min(left, len(PIECE)))
            digest.update(piece)
            left -= len(piece)
    return length, digest.hexdigest()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back what comes, and end when it ends."""
    try:
        while data := await reader.read(65_536):
            writer.write(b"%d" % os.getpid() if data == b"who?" else data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        pass  # the client went away
    finally:
        writer.close()


async def main() -> None:
    host, application = os.environ["HOST"], Application()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, sys.exit, 0)
    if "PORT_TCP" in os.environ:
        await asyncio.start_server(echo, host, int(os.environ["PORT_TCP"]), backlog=1024)
    await asyncio.start_server(application.serve, host, int(os.environ["PORT_HTTP"]), backlog=1024)
    await application.never.wait()


if __name__ == "__main__":
    if os.path.exists(os.environ.get("GATE", "")):
        sys.exit(1)
    asyncio.run(main())
