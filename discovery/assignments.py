"""What was given out before: addresses and ports of Services, kept in the state folder to survive a restart."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from config.errors import Fault
from config.meta import Source

LARGEST_FILE = 16 * 1024 * 1024


class Assignments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Addresses by ``NAMESPACE/NAME``, ports by ``NAMESPACE/NAME/PROTOCOL/PORT`` (the port's name or number)."""

    cluster_ips: dict[str, str] = {}
    node_ports: dict[str, int] = {}
    """Those of health checks by ``NAMESPACE/NAME/healthCheckNodePort``."""
    local_ports: dict[str, int] = {}
    """Of 127.0.0.1, with ``reach: ports``."""

    def keeping(self, before: Assignments) -> Assignments:
        """These, and of `before` all that is not said here: for Services that could not be read this time."""
        return Assignments(
            before.cluster_ips | self.cluster_ips,
            before.node_ports | self.node_ports,
            before.local_ports | self.local_ports,
        )


def load_assignments(path: Path) -> tuple[Assignments, tuple[Fault, ...]]:
    """What `path` remembers: nothing if there is no such file; nothing and a warning if it cannot be read."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ValueError("it is too large")
        return msgspec.json.decode(path.read_bytes(), type=Assignments), ()
    except FileNotFoundError:
        return Assignments(), ()
    except (OSError, ValueError, RecursionError) as error:
        words = f"what addresses Services had cannot be read ({error}): they are given out anew"
        return Assignments(), (Fault("warning", Source(str(path), 1, 1), words),)


def save_assignments(path: Path, assignments: Assignments) -> None:
    """Replace the file in one step: after a crash it holds the old or the new assignments, never half of them.

    Raises OSError if the folder cannot be written.
    """
    replace_whole(path, msgspec.json.format(msgspec.json.encode(assignments, order="sorted")))


def replace_whole(path: Path, content: bytes) -> None:
    """Replace a file of the state folder in one step, for its owner alone; raises OSError."""
    aside = path.with_name(f"{path.name}.new")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
