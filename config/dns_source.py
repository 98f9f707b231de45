"""A Service whose endpoints DNS names: what its ``weft.dev/dns`` annotations say.

``weft.dev/dns: NAME`` asks for the addresses (A, AAAA) of NAME, which are endpoints at the target port; a NAME
that begins with ``_``, or ``weft.dev/dns-type: SRV``, asks for SRV records, which bring their ports, tiers and
weights along.  ``{port}`` and ``{protocol}`` in it stand for those of each port of the Service.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from config.addresses import parse_address, parse_host_port
from config.meta import Named
from config.naming import shown
from config.resources.core import Secret, Service, ServicePort
from config.tsig import TsigKey, read_key

NAME = "weft.dev/dns"
TYPE = "weft.dev/dns-type"
SERVERS = "weft.dev/dns-servers"
SEARCH = "weft.dev/dns-search"
TSIG = "weft.dev/dns-tsig"
ANSWERS = "weft.dev/dns-answers"
ANNOTATIONS = (NAME, TYPE, SERVERS, SEARCH, TSIG, ANSWERS)


class DNSSource(msgspec.Struct, frozen=True):
    name: str
    type: str
    """``A``, which stands for AAAA too, or ``SRV``."""
    servers: tuple[tuple[str, int], ...]
    """Who is asked, in this order; empty: the system's resolvers."""
    search: tuple[str, ...]
    """Domains that a name without a final dot is looked for in first."""
    tsig: str
    """A Secret of the Service's namespace that queries are signed with; empty: they are not."""
    sample: bool
    """Whether an answer holds only some of the endpoints."""

    def name_for(self, port: ServicePort) -> str:
        """What is asked for on behalf of a port."""
        return self.name.replace("{port}", port.key).replace("{protocol}", port.protocol.lower())


def dns_source(service: Service) -> DNSSource | None:
    """What `service` says; None if its endpoints do not come from DNS.  Raises ValueError for the first fault."""
    faults = [message for _, message in problems(service)]
    if faults:
        raise ValueError(faults[0])
    return _read(service.metadata.annotations) if is_from_dns(service) else None


def is_from_dns(service: Service) -> bool:
    return bool(service.metadata.annotations.get(NAME)) and not service.spec.selector


def problems(service: Service) -> Iterator[tuple[str, str]]:
    """Everything that is wrong with the annotations: which one, and a sentence."""
    annotations = service.metadata.annotations
    if NAME not in annotations:
        yield from ((key, f"has no meaning without {NAME}") for key in ANNOTATIONS if key in annotations)
        return
    if service.spec.selector or service.spec.type == "ExternalName":
        yield NAME, "only for a Service without a selector, and not of type ExternalName: remove one of the two"
    if problem := _name_problem(annotations[NAME]):
        yield NAME, problem
    for key, known in ((TYPE, ("A", "SRV")), (ANSWERS, ("all", "sample"))):
        if annotations.get(key, known[0]) not in known:
            yield key, f"{shown(annotations[key])} is neither {known[0]} nor {known[1]}"
    for text in _words(annotations.get(SERVERS, "")):
        try:
            _server(text)
        except ValueError as error:
            yield SERVERS, str(error)
    for text in _words(annotations.get(SEARCH, "")):
        if problem := _name_problem(text):
            yield SEARCH, problem


def tsig_key(source: DNSSource, namespace: str, secrets: Mapping[Named, Secret]) -> TsigKey | None:
    """The key that queries are signed with.  Raises ValueError with a sentence if it cannot be had."""
    if not source.tsig:
        return None
    return read_key(Named(namespace, source.tsig), secrets)


def _read(annotations: Mapping[str, str]) -> DNSSource:
    name = annotations[NAME]
    return DNSSource(
        name=name,
        type=annotations.get(TYPE, "SRV" if name.startswith("_") else "A"),
        servers=tuple(map(_server, _words(annotations.get(SERVERS, "")))),
        search=tuple(_words(annotations.get(SEARCH, ""))),
        tsig=annotations.get(TSIG, ""),
        sample=annotations.get(ANSWERS) == "sample",
    )


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _server(text: str) -> tuple[str, int]:
    """ADDRESS, or ADDRESS:PORT."""
    try:
        return str(parse_address(text)), 53
    except ValueError:
        return parse_host_port(text)


def _name_problem(name: str) -> str | None:
    labels = name.removesuffix(".").split(".")
    if not all(labels) or any(len(label) > 63 for label in labels) or len(name) > 253 or not name.isascii():
        return f"{shown(name)} is not a DNS name, such as '_http._tcp.shop.example.com'"
    return None
