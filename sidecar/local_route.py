"""``reach: route``: a route by which this machine takes a whole range of addresses for its own (ip-route(8), local).

With it every ClusterIP of a real range such as 10.96.0.0/16 can be bound and dialled, by containers too, without an
address for each of them on an interface.  Setting it takes a right (CAP_NET_ADMIN); a route that is there already
is used as it is.  One that was set here is removed at the end, also one that a killed run before this has left.
"""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from config.addresses import Network, parse_network
from config.settings import ServiceRange
from sidecar.errors import UserError

MARK: Final = "route"
"""The file of the state folder that names the range whose route is ours."""

log = logging.getLogger(__name__)

Run = Callable[..., tuple[int, str]]
"""Runs a program to its end, which holds the loop, before and after there is traffic; its exit code, what it said."""


def routed(service_range: ServiceRange) -> Network | None:
    """The range whose addresses are this machine's by its route alone, if there is one."""
    return parse_network(service_range.cidr) if service_range.reach == "route" else None


@contextmanager
def local_route(service_range: ServiceRange, state: Path, run: Run | None = None) -> Iterator[None]:
    """The route of `service_range` while this lasts, if it wants one.

    Raises UserError if it cannot be set.
    """
    if service_range.reach != "route":
        yield
        return
    run, mark, cidr = run or _run, state / MARK, service_range.cidr
    ours = _set(cidr, mark, run)
    try:
        yield
    finally:
        if ours:
            _remove(cidr, mark, run)


def _set(cidr: str, mark: Path, run: Run) -> bool:
    """Whether the route is ours to remove."""
    family = _family(cidr)
    code, said = run("ip", family, "route", "show", "table", "local", "type", "local", "exact", cidr)
    if code == 0 and said.strip():
        return mark.exists() and mark.read_text() == cidr
    mark.write_text(cidr)
    code, said = run("ip", family, "route", "add", "local", cidr, "dev", "lo")
    if code:
        mark.unlink()
        raise UserError(
            f"reach: route cannot have its route ({said.strip()}): run weft with the right CAP_NET_ADMIN (as root, or "
            f"AmbientCapabilities= in a systemd unit), or set the route yourself with `ip route add local {cidr} dev "
            "lo`, or let NodeConfig spec.serviceRange have reach: loopback or reach: ports"
        )
    log.info("%s is local to this machine now", cidr)
    return True


def _remove(cidr: str, mark: Path, run: Run) -> None:
    code, said = run("ip", _family(cidr), "route", "del", "local", cidr, "dev", "lo")
    if code:
        log.warning("the local route of %s could not be removed: %s", cidr, said.strip())
    mark.unlink(missing_ok=True)


def _family(cidr: str) -> str:
    return "-6" if ":" in cidr else "-4"


def _run(*command: str) -> tuple[int, str]:
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return 127, f"{command[0]}: {getattr(error, 'strerror', None) or 'it does not end'}"
    return done.returncode, done.stdout + done.stderr
