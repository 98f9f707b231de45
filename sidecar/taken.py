"""What to tell a user whose port is taken: which line changes it, and to what.

Only at the start of ``weft up`` does a taken port end the process; later on a listener that cannot bind marks
its Service port and is tried again.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator

from config.configset import ConfigSet
from config.meta import ObjectKey
from config.settings import NODE_PORTS
from mesh.table import Entry
from sidecar.doors import Door
from sidecar.errors import UserError
from sidecar.options import Address, parse_address

TRIES = 1000
OTHER_RANGES = {"127.112.0.0/16": "127.112.0.1", "127.96.0.0/16": "127.96.0.1"}
"""Service ranges to propose, each with an address to try a port on: who listens everywhere is there too."""
MOST_PROBLEMS = 10


def bind_admin(given: Address | None, config_set: ConfigSet) -> socket.socket:
    """The socket of the admin server, on the address given or else on the NodeConfig's.

    It listens already: with SO_REUSEADDR two processes can bind one address until one of them listens.
    Raises UserError if it cannot be bound, with the line that changes it.
    """
    address = given or parse_address(config_set.node.admin)
    sock = _socket(address.host)
    try:
        sock.bind(address)
        sock.listen()
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
    """The listener's own words already say what could be changed; this adds the lines."""
    lines = " or ".join(_LINES[door.entry](door, config_set))
    return f"{door.title}: {door.note}; such as {lines}"


def _cluster_ip_lines(door: Door, config_set: ConfigSet) -> Iterator[str]:
    host, port = parse_address(door.wanted)
    for cidr, there in OTHER_RANGES.items():
        if cidr != config_set.node.service_range.cidr and free_port(there, [port]):
            yield f"spec.serviceRange: {{cidr: {cidr}}} in the NodeConfig{_place_of_node_config(config_set)}"
            return
    other = free_port(host, range(port + 1, 65536))
    yield f"port: {other or 'another'} in the Service{_place_of_service(door, config_set)}"


def _load_balancer_lines(door: Door, config_set: ConfigSet) -> Iterator[str]:
    host, port = parse_address(door.wanted)
    other = free_port(host, range(port + 1, 65536))
    yield f"port: {other or 'another'} in the Service{_place_of_service(door, config_set)}"
    yield f'spec.nodeAddresses: ["127.0.0.2"] in the NodeConfig{_place_of_node_config(config_set)}'


def _external_ip_lines(door: Door, config_set: ConfigSet) -> Iterator[str]:
    yield f"other externalIPs in the Service{_place_of_service(door, config_set)}"


def _node_port_lines(door: Door, config_set: ConfigSet) -> Iterator[str]:
    host, port = parse_address(door.wanted)
    other = free_port(host, range(port + 1, NODE_PORTS.stop))
    yield f"nodePort: {other or 'another'} in the Service{_place_of_service(door, config_set)}"
    yield f'spec.nodeAddresses: ["127.0.0.2"] in the NodeConfig{_place_of_node_config(config_set)}'


def _ingress_lines(door: Door, config_set: ConfigSet) -> Iterator[str]:
    host, port = parse_address(door.wanted)
    other = Address(host, free_port(host, range(port + 1, 65536)) or 0)
    yield f'spec.ingress: {{http: "{other}"}} in the NodeConfig{_place_of_node_config(config_set)}'


def _place_of_service(door: Door, config_set: ConfigSet) -> str:
    source = config_set.sources.get(ObjectKey("Service", door.namespace, door.service))
    return f" ({source})" if source else ""


def _place_of_node_config(config_set: ConfigSet) -> str:
    """`` (FILE:LINE:COL)``, or that there is none, perhaps because what is written has errors."""
    places = [source for key, source in config_set.sources.items() if key.kind == "NodeConfig"]
    return f" ({places[0]})" if places else " (none is in force: add one, or mend its errors)"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


_LINES: dict[Entry, Callable[[Door, ConfigSet], Iterator[str]]] = {
    "ClusterIP": _cluster_ip_lines,
    "NodePort": _node_port_lines,
    "LoadBalancer": _load_balancer_lines,
    "ExternalIP": _external_ip_lines,
    "HealthCheck": _node_port_lines,
    "Ingress": _ingress_lines,
}
