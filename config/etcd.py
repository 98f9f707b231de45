"""How etcd is reached: what the settings of the registry and the Secrets that they name say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from config.keypair import CERTIFICATE, KEY
from config.meta import Named
from config.naming import shown
from config.resources.core import Secret
from config.settings import EtcdSettings
from config.values import secret_value

AUTHORITIES = "ca.crt"
DEFAULT_NAMESPACE = "default"


class EtcdAccess(NamedTuple):
    """Who asks, and whom; empty is what is not needed."""

    authorities: bytes = b""
    """Certificates, one of which signed etcd's."""
    chain: bytes = b""
    key: bytes = b""
    user: str = ""
    password: str = ""


def parse_endpoint(text: str) -> str:
    """A URL of etcd, without a slash at its end.  Raises ValueError."""
    try:
        url = urlsplit(text)
        is_whole = url.scheme in ("http", "https") and url.hostname and url.port is not None
    except ValueError:
        is_whole = False
    if not is_whole or url.path.strip("/") or url.query or url.fragment or url.username:
        raise ValueError(f"{shown(text)} is no endpoint of etcd, such as 'https://etcd-1.example:2379'")
    return text.rstrip("/")


def read_access(settings: EtcdSettings, secrets: Mapping[Named, Secret]) -> EtcdAccess:
    """What the Secrets hold.  Raises ValueError with a sentence if something cannot be had."""
    access = EtcdAccess()
    if settings.tls:
        parts = _parts(settings.tls, secrets, AUTHORITIES, CERTIFICATE, KEY)
        access = access._replace(authorities=parts[0], chain=parts[1], key=parts[2])
        if bool(access.chain) != bool(access.key):
            raise ValueError(f"Secret {shown(settings.tls)} needs both {CERTIFICATE} and {KEY}, or neither")
    if settings.user:
        name, password = (
            part.decode("utf-8", "replace") for part in _parts(settings.user, secrets, "username", "password")
        )
        if not name:
            raise ValueError(f"Secret {shown(settings.user)} needs the keys username and password")
        access = access._replace(user=name, password=password)
    return access


def _parts(written: str, secrets: Mapping[Named, Secret], *keys: str) -> list[bytes]:
    namespace, _, name = written.rpartition("/")
    secret = secrets.get(Named(namespace or DEFAULT_NAMESPACE, name))
    if secret is None:
        raise ValueError(f"there is no Secret {shown(name)} in namespace {shown(namespace or DEFAULT_NAMESPACE)}")
    return [secret_value(secret, key) or b"" for key in keys]
