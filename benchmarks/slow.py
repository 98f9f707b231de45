"""A replica for ``benchmarks.questions.autoscale``: every request takes a quarter of a second.

Standard library only; run with ``python -S``, so that a replica's own start is short.
"""

from __future__ import annotations

import asyncio
import os

SECONDS = 0.25
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One client's connection."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if b" /healthz " not in head:
                await asyncio.sleep(SECONDS)
            writer.write(OK)
    except (OSError, asyncio.IncompleteReadError):
        pass  # the client went away
    finally:
        writer.close()


async def main() -> None:
    server = await asyncio.start_server(serve, os.environ["HOST"], int(os.environ["PORT_HTTP"]), backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
