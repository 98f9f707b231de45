"""What to tell a user whose port is taken: which line changes it, and to what.

Only at the start of ``weft up`` does a taken port end the process; later on a listener that cannot bind marks
its Service port and is tried again.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable

from config.configset import ConfigSet
from config.meta import ObjectKey
from config.settings import NODE_PORTS
from mesh.table import Entry
from sidecar.doors import Door
from sidecar.errors import UserError
from sidecar.options import Address, parse_address

TRIES = 1000
MOST_PROBLEMS = 10


def bind_admin(given: Address | None, config_set: ConfigSet) -> socket.socket:
    """The socket of the admin server, on the address given or else on the NodeConfig's.

    Raises UserError if it cannot be bound, with the line that changes it.
    """
    address = given or parse_address(config_set.node.admin)
    sock = _socket(address.host)
    try:
        sock.bind(address)
    except OSError as error:
        sock.close()
        raise UserError(_admin_taken(address, error.strerror or str(error), config_set)) from None
    return sock


def refuse_taken(doors: Iterable[Door], config_set: ConfigSet) -> None:
    """Raises UserError if an address that the configuration wants could not be bound."""
    problems = [_door_taken(door, config_set) for door in doors if not door.served]
    if problems:
        more = len(problems) - MOST_PROBLEMS
        rest = [f"and {more} more"] if more > 0 else []
        raise UserError("\nweft: ".join([*problems[:MOST_PROBLEMS], *rest]))


def free_port(host: str, ports: Iterable[int]) -> int | None:
    """The first of `ports` that can be bound on `host` now; None: none of the first thousand."""
    for port, _ in zip(ports, range(TRIES), strict=False):
        with _socket(host) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    return None


def _socket(host: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return sock


def _admin_taken(address: Address, reason: str, config_set: ConfigSet) -> str:
    other = free_port(address.host, range(address.port + 1, 65536))
    line = f'spec.admin: "{Address(address.host, other)}"' if other else "another spec.admin"
    return (
        f"the admin address {address} cannot be used ({_lower(reason)}): "
        f"set {line} in the NodeConfig{_place_of_node_config(config_set)}, or give --admin HOST:PORT"
    )


def _door_taken(door: Door, config_set: ConfigSet) -> str:
    start = f"{door.entry} {door.wanted} of Service {door.namespace}/{door.service} cannot be used"
    return f"{start} ({_lower(door.note)}): {_REMEDIES[door.entry](door, config_set)}"


def _cluster_ip_remedy(door: Door, config_set: ConfigSet) -> str:
    return (
        f"stop what listens on port {parse_address(door.wanted).port}, "
        f"or set another spec.serviceRange.cidr than {config_set.node.service_range.cidr} "
        f"in the NodeConfig{_place_of_node_config(config_set)}"
    )


def _node_port_remedy(door: Door, config_set: ConfigSet) -> str:
    host, port = parse_address(door.wanted)
    other = free_port(host, range(port + 1, NODE_PORTS.stop))
    change = f"nodePort: {other}" if other else "another nodePort"
    source = config_set.sources.get(ObjectKey("Service", door.namespace, door.service))
    return (
        f"set {change} in the Service{f' ({source})' if source else ''}, "
        f'or another address, such as spec.nodeAddresses: ["127.0.0.2"], '
        f"in the NodeConfig{_place_of_node_config(config_set)}"
    )


def _ingress_remedy(_door: Door, config_set: ConfigSet) -> str:
    return f"set another spec.ingress in the NodeConfig{_place_of_node_config(config_set)}"


def _place_of_node_config(config_set: ConfigSet) -> str:
    """`` (FILE:LINE:COL)``, or that there is none yet."""
    places = [source for key, source in config_set.sources.items() if key.kind == "NodeConfig"]
    return f" ({places[0]})" if places else " (there is none yet: add one)"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


_REMEDIES: dict[Entry, Callable[[Door, ConfigSet], str]] = {
    "ClusterIP": _cluster_ip_remedy,
    "NodePort": _node_port_remedy,
    "LoadBalancer": _node_port_remedy,
    "Ingress": _ingress_remedy,
}
