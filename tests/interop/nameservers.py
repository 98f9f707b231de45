"""BIND and Knot as primary or secondary of one zone, and what they and a weft say of it.

All keep the zone ``endpoints.cluster.local``, and all know the key `KEY`.
"""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import dns.message
import dns.name
import dns.query
import dns.rdata
import dns.rdatatype
import dns.tsigkeyring
import dns.xfr
import dns.zone

from discovery.registry.content import Content
from discovery.registry.keys import Key
from discovery.registry.wire import from_text, to_wire
from tests.interop.programs import accepts
from tests.scenarios.manifests import service
from tests.scenarios.weft import Network, wait_for

DOMAIN = "endpoints.cluster.local"
ORIGIN = to_wire(from_text(DOMAIN))
SECRET = "c2VjcmV0IHNlY3JldCBzZWNyZXQ="
KEY = Key(from_text("copier"), "hmac-sha256", b"secret secret secret")
NSUPDATE_KEY = f"hmac-sha256:copier:{SECRET}"
KEYRING = dns.tsigkeyring.from_text({"copier": ("hmac-sha256.", SECRET)})

ZONE = """$TTL 5
@ SOA ns.dns.cluster.local. hostmaster.cluster.local. %(serial)d 1 1 604800 1
@ NS ns.dns.cluster.local.
"""
NAMED = """
options {
  directory "%(folder)s"; pid-file none; session-keyfile none; recursion no; dnssec-validation no;
  listen-on port %(port)d { 127.0.0.1; }; listen-on-v6 { none; };
  allow-transfer { any; }; serial-query-rate 1000; notify-rate 1000; startup-notify-rate 1000; notify-delay 0;
  min-refresh-time 1; min-retry-time 1; check-names primary ignore; check-names secondary ignore;
};
controls { };
key copier { algorithm hmac-sha256; secret "%(secret)s"; };
zone "%(zone)s" { file "zone"; %(role)s };
"""
BIND_SECONDARY = "type secondary; masterfile-format text; primaries { %(host)s port %(at)d key copier; }; notify no;"
BIND_PRIMARY = """type primary; allow-update { key copier; }; check-integrity no;
notify explicit; also-notify { 127.0.0.1 port %(told)d; };"""
KNOTD = """
server:
    rundir: "%(folder)s"
    listen: 127.0.0.1@%(port)d
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
log:
  - target: stderr
    any: info
database:
    storage: "%(folder)s"
    journal-db-max-size: 64M
    kasp-db-max-size: 5M
    timer-db-max-size: 5M
    catalog-db-max-size: 5M
key:
  - id: copier
    algorithm: hmac-sha256
    secret: "%(secret)s"
remote:
%(remotes)s
acl:
  - id: readers
    address: 127.0.0.0/8
    action: transfer
  - id: tellers
    address: 127.0.0.0/8
    action: notify
  - id: writers
    key: copier
    action: [transfer, update]
zone:
  - domain: %(zone)s
    storage: "%(folder)s"
    file: zone
    journal-content: all
    semantic-checks: off
    acl: [readers, tellers, writers]
%(role)s
"""
KNOT_SECONDARY = "    master: weft\n    zonefile-load: none\n    zonefile-sync: -1\n    refresh-min-interval: 2\n"
KNOT_PRIMARY = "    notify: node\n    zonefile-sync: -1\n    zonefile-load: difference\n"


class Primary(NamedTuple):
    """Serves the zone, from `serial`, and tells whoever is at port `told` of 127.0.0.1."""

    told: int
    serial: int = 1


class Follows(NamedTuple):
    """A secondary of what is at HOST and port."""

    host: str
    port: int


Role = Primary | Follows
Start = Callable[[Path, int, Role], AbstractContextManager[None]]


@contextmanager
def bind(folder: Path, port: int, role: Role) -> Iterator[None]:
    """named, at `port` of 127.0.0.1."""
    if isinstance(role, Primary):
        text = BIND_PRIMARY % {"told": role.told}
    else:
        text = BIND_SECONDARY % {"host": role.host, "at": role.port}
    made = {"folder": folder, "port": port, "secret": SECRET, "zone": DOMAIN, "role": text}
    with _running(folder, port, role, NAMED % made, "named", "-g", "-n", "1", "-c"):
        yield


@contextmanager
def knot(folder: Path, port: int, role: Role) -> Iterator[None]:
    """knotd, at `port` of 127.0.0.1."""
    if isinstance(role, Primary):
        remotes = f"  - id: node\n    address: 127.0.0.1@{role.told}\n"
        text = KNOT_PRIMARY
    else:
        remotes = f"  - id: weft\n    address: {role.host}@{role.port}\n    key: copier\n"
        text = KNOT_SECONDARY
    made = {"folder": folder, "port": port, "secret": SECRET, "zone": DOMAIN, "role": text, "remotes": remotes}
    with _running(folder, port, role, KNOTD % made, "knotd", "-c"):
        yield


@contextmanager
def _running(folder: Path, port: int, role: Role, config: str, *program: str) -> Iterator[None]:
    folder.mkdir()
    path, told = folder / "config", folder / "log"
    path.write_text(config)
    if isinstance(role, Primary):
        (folder / "zone").write_text(ZONE % {"serial": role.serial})
    with told.open("wb") as log:
        process = subprocess.Popen([*program, str(path)], stdout=log, stderr=log)
    try:
        wait_for(lambda: process.poll() is not None or accepts(port), told.read_text)
        assert process.poll() is None, told.read_text()
        yield
        assert process.poll() is None, told.read_text()
    finally:
        process.terminate()
        process.wait()


class Zone(NamedTuple):
    """All that a server says of the zone."""

    serial: int
    records: frozenset[tuple[str, int, int, bytes]]
    """Name, type, TTL and data, in lower case where DNS does not tell cases apart; without SOA."""


def zone_at(host: str, port: int, signed: bool = True) -> Zone | None:
    """The zone, by AXFR; None: it is not there yet."""
    zone = dns.zone.Zone(DOMAIN, relativize=False)
    query, _ = dns.xfr.make_query(zone, keyring=KEYRING if signed else None)
    try:
        dns.query.inbound_xfr(host, zone, query, port, timeout=10, lifetime=30)
    except dns.xfr.TransferError:
        return None
    found = frozenset(
        (name.to_text().lower(), rdata.rdtype, ttl, rdata.to_digestable())
        for name, ttl, rdata in zone.iterate_rdatas()
        if rdata.rdtype != dns.rdatatype.SOA
    )
    return Zone(zone.get_soa().serial, found)


def zone_of(content: Content) -> Zone:
    """The same as `zone_at` says of a server."""
    found = set()
    for record in content.records():
        data = dns.rdata.from_wire("IN", record.type, record.data, 0, len(record.data))
        found.add((dns.name.from_wire(record.name, 0)[0].to_text(), record.type, record.ttl, data.to_digestable()))
    return Zone(content.serial, frozenset(found))


def serial_at(host: str, port: int) -> int:
    """The serial that a server says; 0: it has no zone."""
    answer = dns.query.udp(dns.message.make_query(DOMAIN, "SOA"), host, 10, port)
    return next((rrset[0].serial for rrset in answer.answer), 0)


class Client:
    """Sends finished messages by UDP, and again to who does not answer."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(5)
        self._socket.connect((host, port))

    def ask(self, message: bytes) -> bytes:
        """The answer.  Raises OSError."""
        self._socket.send(message)
        while True:
            answer = self._socket.recv(65535)
            if answer[:2] == message[:2]:
                return answer

    def close(self) -> None:
        self._socket.close()


COPIER = {"copier": {"writes": ["*"], "transfers": True}}


def registry_folder(
    folder: Path, network: Network, *also_notify: str, keys: Mapping[str, dict[str, Any]] = COPIER
) -> Path:
    """Manifests of a weft that is a registry, with a Service that nothing serves.

    `keys`: names of keys, all with the same secret, and what each may do; those that end on 512 are for hmac-sha512.
    """
    items = [service("web", {"http": 80})]
    for name in keys:
        algorithm = "hmac-sha512" if name.endswith("512") else "hmac-sha256"
        data = {"name": name, "secret": SECRET, "algorithm": algorithm}
        items.append({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data})
    scopes = [{"secret": name, **scope} for name, scope in keys.items()]
    items.append(network.node_config({}, registry={"keys": scopes, "alsoNotify": list(also_notify)}))
    folder.mkdir()
    (folder / "manifests.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    return folder
