"""A real nginx in the foreground, on a free loopback port."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.discovery.probes.servers import refused_port

CONFIGURATION = """
daemon off; master_process off; worker_processes 1; pid %(folder)s/pid; error_log %(folder)s/error.log;
events { worker_connections 64; }
http {
  access_log off; default_type application/octet-stream;
  client_body_temp_path %(folder)s/body; proxy_temp_path %(folder)s/proxy; fastcgi_temp_path %(folder)s/fastcgi;
  uwsgi_temp_path %(folder)s/uwsgi; scgi_temp_path %(folder)s/scgi;
  server { listen 127.0.0.1:%(port)d%(listen)s; %(server)s }
}
"""


@asynccontextmanager
async def running(folder: Path, server: str, listen: str = "") -> AsyncIterator[int]:
    """The port where nginx serves what the `server` block says."""
    port = refused_port()
    path = folder / "nginx.conf"
    path.write_text(CONFIGURATION % {"folder": folder, "port": port, "server": server, "listen": listen})
    process = await asyncio.create_subprocess_exec(
        "nginx", "-p", str(folder), "-c", str(path), stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(10):
            while not await _accepts(port):
                assert process.returncode is None, (folder / "error.log").read_text()
                await asyncio.sleep(0.02)
        yield port
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
