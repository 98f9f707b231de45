"""Where two views of the names differ: what kept answers are forgotten by, and which zones get another serial."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address

from config.addresses import Network
from discovery.registry import reverse
from discovery.registry.service_names import Key, ServiceNames, explained, moved, pod_name, pointing
from discovery.registry.wire import Labels, from_text, to_wire


class Differences:
    """Of two views of the same domain, gathered Service by Service."""

    def __init__(self, domain: Labels) -> None:
        self._domain = domain
        self._records: set[bytes] = set()
        """Names of the domain that have other records."""
        self._reasons: set[bytes] = set()
        """Those of which only a reason is another one."""
        self._pods: set[tuple[str, bytes]] = set()
        """Addresses that came to a namespace or left it."""
        self.addresses: set[bytes] = set()
        """Whose names are other ones."""

    def compare(self, key: Key, was: ServiceNames, now: ServiceNames) -> None:
        """A Service has other names."""
        self._records.update(moved(key, was, now, self._domain))
        self._reasons.update(explained(key, was, now, self._domain))
        self.addresses.update(pointing(was, now))

    def flip(self, pods: Iterable[str], namespace: bytes) -> None:
        """These addresses came to a namespace, or left it; those that do both, with several Services, do neither."""
        self._pods ^= {(pod, namespace) for pod in pods}

    def names(self) -> frozenset[bytes]:
        """All names of which something else is said."""
        pods = (pod_name(pod, namespace, self._domain) for pod, namespace in self._pods)
        pointers = (to_wire(reverse_labels(address)) for address in self.addresses)
        return frozenset({*self._records, *self._reasons, *pods, *pointers})

    def zones(self, networks: Iterable[Network]) -> set[bytes]:
        """The zones with other records."""
        found = {to_wire(self._domain)} if self._records or self._pods else set()
        for address in self.addresses:
            found.add(zone_of(address, networks))
        return found


def zone_of(address: bytes, networks: Iterable[Network]) -> bytes:
    """The reverse zone in which the name of an address is; outside of all networks its name is a zone by itself."""
    name = reverse.read(reverse_labels(address))
    assert name is not None
    return to_wire(name.zone(networks) or name.labels)


def reverse_labels(address: bytes) -> Labels:
    """The name of an address."""
    return from_text(ip_address(address).reverse_pointer)
