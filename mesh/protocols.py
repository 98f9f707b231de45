"""What a Service port speaks, as far as it was declared; what was not is detected from the first bytes.

The order is that of the words' authority: a TrafficPolicy, ``appProtocol`` (Kubernetes' standard names and
the common ones), the prefix of the port's name.  Protocols that have no codec here are relayed as TCP, which
carries them unharmed.
"""

from __future__ import annotations

from typing import Literal

from config.resources.core import ServicePort
from mesh.table import AppProtocol

_HTTP_APP_PROTOCOLS = frozenset({"http", "kubernetes.io/ws"})
_RELAYED_NAMES = frozenset(
    {
        "amqp", "cassandra", "ftp", "grpc", "grpcs", "http2", "https", "imap", "imaps", "kafka", "ldap", "ldaps",
        "memcached", "mongo", "mongodb", "mqtt", "mssql", "mysql", "nats", "postgres", "postgresql", "redis",
        "smtp", "smtps", "ssh", "tcp", "tls", "wss", "zookeeper",
    }
)  # fmt: skip
"""Prefixes of port names; several of these wait for the server to speak first, which no detection survives."""


def app_protocol(port: ServicePort, declared: Literal["http", "tcp"] | None = None) -> AppProtocol:
    """What `port` speaks; `declared` is what a TrafficPolicy says."""
    if port.protocol == "UDP":
        return "udp"
    if declared:
        return declared
    if port.app_protocol:
        return "http" if port.app_protocol.lower() in _HTTP_APP_PROTOCOLS else "tcp"
    prefix = port.name.partition("-")[0].lower()
    if prefix == "http":
        return "http"
    return "tcp" if prefix in _RELAYED_NAMES else "detect"
