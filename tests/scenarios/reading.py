"""Readers of manifests that need not import the reader first: forks of one process that has, as with `prepared`.

`serve` is that process.  It gets by a Unix socket what a reader is started with, and its standard output; the
connection is closed once the reader has ended.  What a weft starts is replaced by `started`.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module

from tests.policy.source import ROOT

LONGEST = 1 << 20
"""Bytes of all the words that a reader is started with."""


class Reader:
    """With what is used of `subprocess.Popen`."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def kill(self) -> None:
        """It says who it is before anything else; the connection is closed when it has ended."""
        with suppress(ProcessLookupError):
            os.kill(struct.unpack("!I", self._connection.recv(4))[0], signal.SIGKILL)

    def wait(self) -> None:
        with self._connection:
            assert not self._connection.recv(4)


def started(address: str) -> Callable[[Sequence[str]], tuple[Reader, socket.socket]]:
    """In the place of `config.aside._start`, with the process at `address`."""

    def start(program: Sequence[str]) -> tuple[Reader, socket.socket]:
        _, _, _, _, niceness, _, module, *words = program
        asking = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        asking.connect(address)
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(asking, [json.dumps([niceness, module, *words]).encode()], [theirs.fileno()])
        return Reader(asking), ours

    return start


def serve(listening: socket.socket, modules: Sequence[str]) -> None:
    """Fork a reader for each connection, until this process is ended; `modules` are imported before."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for module in modules:
        import_module(module)
    _read_all_kinds()
    while True:
        connection, _ = listening.accept()
        with connection:
            message, descriptors, _, _ = socket.recv_fds(connection, LONGEST, 1)
            if not os.fork():
                _read(connection, descriptors[0], *json.loads(message))
            os.close(descriptors[0])


def _read_all_kinds() -> None:
    """The first object of a kind takes longer than others."""
    from config.configset import API_VERSIONS
    from config.loader import load_text

    objects = [{"apiVersion": version, "kind": kind} for kind, version in API_VERSIONS.items()]
    load_text("\n---\n".join(map(json.dumps, objects)), "nothing")


def _read(connection: socket.socket, out: int, niceness: str, module: str, *words: str) -> None:
    """Be the reader, and end."""
    connection.send(struct.pack("!I", os.getpid()))
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    os.nice(int(niceness))
    os.chdir(ROOT)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number, file in enumerate((nowhere, out, nowhere)):
        os.dup2(file, number)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    try:
        import_module(module).main(words)
    finally:
        os._exit(0)
