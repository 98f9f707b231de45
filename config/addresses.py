"""Addresses, networks and HOST:PORT as manifests write them.

Every function raises ValueError with a sentence that says what is wrong and what would be right.
"""

from __future__ import annotations

from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from socket import AF_INET, inet_pton

from config.naming import shown

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def parse_address(text: str) -> Address:
    """An IPv4 or IPv6 address in its usual text form; no leading zeros, no zone."""
    with suppress(OSError, ValueError):  # a quarter of what `ip_address` takes; there may be many thousands
        return IPv4Address(inet_pton(AF_INET, text))
    try:
        address = ip_address(text)
    except ValueError:
        raise ValueError(f"{shown(text)} is not an IP address, such as 127.0.0.1 or ::1") from None
    if "%" in text:
        raise ValueError(f"{shown(text)} has a zone: write the address without '%' and what follows")
    return address


def parse_network(text: str) -> Network:
    """A network as ADDRESS/BITS (CIDR) without bits set on the right of the prefix."""
    if "/" not in text:
        raise ValueError(f"{shown(text)} is not a network: write ADDRESS/BITS, such as 127.96.0.0/16")
    try:
        loose = ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"{shown(text)} is not a network: write ADDRESS/BITS, such as 127.96.0.0/16") from None
    if not text.partition("/")[2].isdecimal():
        raise ValueError(f"{shown(text)} has a mask: write the number of bits, {shown(str(loose))}")
    if loose.network_address != parse_address(text.partition("/")[0]):
        raise ValueError(f"{shown(text)} has bits set on the right of its prefix: write {shown(str(loose))}")
    return loose


def parse_host_port(text: str) -> tuple[str, int]:
    """HOST:PORT or [IPV6]:PORT, to an address (``localhost`` is 127.0.0.1) and a port; port 0 means any free one."""
    host, colon, port = text.rpartition(":")
    if not colon or not host:
        raise ValueError(f"{shown(text)} is not HOST:PORT, such as '127.0.0.1:8080'")
    if not (port.isascii() and port.isdecimal() and int(port) <= 65535):
        raise ValueError(f"{shown(port)} in {shown(text)} is not a port number from 0 to 65535")
    if host == "localhost":
        return "127.0.0.1", int(port)
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"{shown(text)} needs brackets around its IPv6 address: '[{host}]:{port}'")
    return str(parse_address(host)), int(port)


def assignable(network: Network) -> range:
    """The addresses of a range that can be given out, as integers: not its first, nor IPv4's broadcast address."""
    return range(int(network[0]) + 1, int(network[-1]) + (network.version == 6))


def parse_service_range(cidr: str, reach: str) -> Network:
    """The network that ClusterIPs are given out of; raises ValueError if it cannot be reached as `reach` says."""
    network = parse_network(cidr)
    if not assignable(network):
        raise ValueError(f"{network} has no address to give out: choose a larger range")
    if reach == "loopback" and not (network[0].is_loopback and network[-1].is_loopback):
        raise ValueError(f"{network} is not in 127.0.0.0/8, as reach: loopback needs: change it, or use reach: route")
    return network
