"""Programs of others, started for a test; a missing one skips it (which CI takes for a failure)."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from benchmarks.rig import free_port
from tests.scenarios.weft import wait_for

NGINX = """
daemon off; master_process off; worker_processes 1; pid %(folder)s/pid; error_log %(folder)s/error.log;
events { worker_connections 512; }
http {
  access_log off; default_type application/octet-stream; types { text/plain txt; }
  client_body_temp_path %(folder)s/body; proxy_temp_path %(folder)s/proxy; fastcgi_temp_path %(folder)s/fastcgi;
  uwsgi_temp_path %(folder)s/uwsgi; scgi_temp_path %(folder)s/scgi;
  root %(root)s; gzip on; gzip_types text/plain; gzip_proxied any; port_in_redirect off;
  server { listen 127.0.0.1:%(lasting)d; location /to { return 302 /text.txt; } }
  server { listen 127.0.0.1:%(short)d; keepalive_timeout 0; }
}
"""


NAMED = """
options {
  directory "%(folder)s"; pid-file none; session-keyfile none; recursion no;
  listen-on port %(port)d { 127.0.0.1; }; listen-on-v6 { none; }; %(options)s
};
controls { };
%(keys)s
"""


def needs(program: str) -> pytest.MarkDecorator:
    """Skips where `program` is not installed."""
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


def run(*argv: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run a program that must end well and soon."""
    done = subprocess.run(argv, input=stdin, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, (argv, done.returncode, done.stderr.decode(errors="replace"))
    return done


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody has, all of them different."""
    found: set[int] = set()
    while len(found) < count:
        found.add(free_port())
    return list(found)


@contextmanager
def nginx(folder: Path, root: Path, lasting: int, short: int) -> Iterator[None]:
    """nginx serves the files of `root`: at port `lasting` with keep-alive, at port `short` without."""
    path = folder / "nginx.conf"
    path.write_text(NGINX % {"folder": folder, "root": root, "lasting": lasting, "short": short})
    process = subprocess.Popen(["nginx", "-p", str(folder), "-c", str(path)], stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: process.poll() is not None or (accepts(lasting) and accepts(short)))
        assert process.poll() is None, (folder / "error.log").read_text()
        yield
    finally:
        process.terminate()
        process.wait()


@contextmanager
def named(
    folder: Path,
    port: int,
    zones: Mapping[str, str],
    *,
    keys: str = "",
    options: str = "",
    rules: Mapping[str, str] | None = None,
) -> Iterator[int]:
    """BIND, by its process id, is the primary of `zones`, which this machine may update.

    `rules`: what holds for one of them instead; `options`: besides the usual ones.
    """
    folder.mkdir()
    lines = [NAMED % {"folder": folder, "port": port, "keys": keys, "options": options}]
    for zone, text in zones.items():
        (folder / f"{zone}.zone").write_text(text)
        rule = (rules or {}).get(zone, "allow-update { 127.0.0.1; };")
        lines.append(f'zone "{zone}" {{ type primary; file "{zone}.zone"; {rule} }};')
    (folder / "named.conf").write_text("\n".join(lines))
    told = folder / "log"
    with told.open("wb") as log:
        process = subprocess.Popen(["named", "-g", "-n", "1", "-c", str(folder / "named.conf")], stdout=log, stderr=log)
    try:
        wait_for(lambda: process.poll() is not None or " running" in told.read_text(), told.read_text)
        assert process.poll() is None, told.read_text()
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def accepts(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False
