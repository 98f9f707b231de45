"""What a sidecar stands beside: one application of one Service, as the command line says it."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from config.meta import Named
from config.naming import DNS_LABEL, shown
from config.resources.workloads import HTTPGetAction, Probe, TCPSocketAction

ADDRESS: Final = "127.0.0.1"
"""Where an application listens beside its sidecar."""
_PORT: Final = re.compile(r"([a-z0-9-]+)=([0-9]{1,5})", re.ASCII)


class Beside(NamedTuple):
    """One application."""

    service: Named
    ports: tuple[tuple[str, int], ...]
    """Ports of the Service (their names, else their numbers), and where the application listens for each."""
    probe: Probe | None = None
    """None: it is ready once it accepts connections."""
    command: tuple[str, ...] = ()
    """What starts it; empty: it is started elsewhere."""
    uses: tuple[Named, ...] = ()
    """Services whose endpoints are there from the start; those of others once something is sent to them."""
    name: str = ""
    """Under which it is registered, and the sidecar too; empty: one that is made up, the same at every start."""

    @property
    def numbers(self) -> tuple[int, ...]:
        """Where it listens."""
        return tuple(dict.fromkeys(number for _, number in self.ports))


def parse_service(text: str) -> Named:
    """NAMESPACE/NAME, or NAME in the namespace ``default``.  Raises ValueError."""
    namespace, _, name = text.rpartition("/")
    found = Named(namespace or "default", name)
    for part in found:
        if problem := DNS_LABEL.problem(part):
            raise ValueError(f"{shown(text)} is not NAMESPACE/NAME of a Service: {problem}")
    return found


def parse_port(text: str) -> tuple[str, int]:
    """NAME=TARGETPORT.  Raises ValueError."""
    match = _PORT.fullmatch(text)
    if match is None or not 0 < int(match[2]) < 65536:
        raise ValueError(f"{shown(text)} is not NAME=TARGETPORT, a port of the Service and a number, as http=8080")
    return match[1], int(match[2])


def parse_probe(text: str, port: int) -> Probe:
    """``http:PATH`` or ``tcp``, of `port`.  Raises ValueError."""
    kind, colon, path = text.partition(":")
    if text == "tcp":
        return Probe(tcp_socket=TCPSocketAction(port), period_seconds=1)
    if kind == "http" and colon and path.startswith("/"):
        return Probe(http_get=HTTPGetAction(port, path), period_seconds=1)
    raise ValueError(f"{shown(text)} is not a probe: write http:PATH, such as http:/healthz, or tcp")
