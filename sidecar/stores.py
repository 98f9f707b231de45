"""Where the registry keeps its zones: in a file of the state folder, or in an etcd that several registries share."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final, Protocol

from config.etcd import EtcdAccess, parse_endpoint, read_access
from config.keypair import BadKeyPair, load
from config.meta import Named
from config.resources.core import Secret
from config.settings import EtcdSettings
from discovery.registry.documents import Documents
from discovery.registry.journal import Journal
from discovery.registry.store import Store
from sidecar.errors import UserError

if TYPE_CHECKING:
    from ssl import SSLContext

FILE: Final = "registry.db"
NAME_BYTES: Final = 8


class RegistryStore(Store, Documents, Protocol):
    """Zones and manifests."""

    def standby(self) -> str:
        """Why another of the registries that share it does what only one is to do; empty: this one does."""


def store_of(settings: EtcdSettings, secrets: Mapping[Named, Secret], folder: Path, random: Random) -> RegistryStore:
    """The store that the settings ask for.  Raises UserError if they cannot be followed."""
    if not settings.endpoints:
        return Journal(folder / FILE)
    from discovery.registry.etcd.client import Access, Etcd
    from discovery.registry.etcd.store import EtcdStore

    try:
        access = read_access(settings, secrets)
        endpoints = tuple(map(parse_endpoint, settings.endpoints))
        etcd = Etcd(Access(endpoints, context_of(access), access.user, access.password))
    except (ValueError, BadKeyPair) as error:
        raise UserError(f"registry.etcd: {error}") from None
    # A name of its own for each process: nobody may take one registry for another that was there before.
    return EtcdStore(etcd, settings.prefix.encode(), os.urandom(NAME_BYTES), random=random, clock=time.monotonic)


def context_of(access: EtcdAccess) -> SSLContext | None:
    """How etcd is known, and how this registry is; None: as the system has it.  Raises ValueError, BadKeyPair."""
    if not access.authorities and not access.chain:
        return None
    import ssl

    context = ssl.create_default_context()
    if access.authorities:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(cadata=access.authorities.decode("ascii"))
        except (ssl.SSLError, ValueError):
            raise ValueError("ca.crt holds no certificates that OpenSSL can read") from None
    if access.chain:
        load(context, access.chain, access.key)
    return context
