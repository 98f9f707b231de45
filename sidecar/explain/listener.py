"""Which listener a request comes in by: the one at the address it is sent to, or that a name leads to."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any, NamedTuple

from config.addresses import parse_host_port
from config.configset import ConfigSet
from config.meta import Named
from config.resources.core import ServiceSpec
from mesh.listener import ListenerState
from mesh.table import Listener, ListenerKey, RoutingTable
from mesh.tls.names import Certificate, ServerNames
from sidecar.explain.question import Question

LOCALHOST = "127.0.0.1"
ANYWHERE = ("0.0.0.0", "::")


class Place(NamedTuple):
    """What a listener is looked for among."""

    table: RoutingTable
    states: Mapping[ListenerKey, ListenerState]
    """What became of the listeners; empty where nothing runs."""
    config_set: ConfigSet


class Found(NamedTuple):
    listener: Listener | None
    remark: str
    """How the name led there, or why nothing is there and what to do; else empty."""


def find_listener(question: Question, place: Place) -> Found:
    address = _address(question.host)
    if address:
        found = _at(ListenerKey(address, question.port, question.transport), place)
        return found if found.listener or question.ported or address == question.host else _entrance(question, place)
    service = _service(question.host, place.config_set)
    if service is not None:
        return _of_service(service, question, place)
    return _entrance(question, place)


def refused_at(listener: Listener, question: Question) -> str:
    """Why a client is not even listened to there; empty if it is."""
    client = ipaddress.ip_address(question.client)
    if listener.sources and not any(client in network for network in listener.sources):
        return f"{client} is in none of the Service's loadBalancerSourceRanges"
    if listener.tls is not None and question.scheme != "https":
        return f"{listener.key} speaks TLS: ask by https://"
    if listener.tls is None and question.scheme == "https" and listener.protocol == "http":
        return f"{listener.key} speaks HTTP without TLS: ask by http://"
    if listener.tls is not None and listener.tls.match(question.host_name.lower()) is None:
        return f"there is no certificate for {question.host_name}"
    return ""


def certificate(names: ServerNames, question: Question) -> dict[str, Any] | None:
    """What the client is shown; None: its bytes are relayed as they are, and the endpoint shows its own.

    `secret` is empty where it is the certificate that weft makes for itself.
    """
    shown = names.match(question.host_name.lower())
    if not isinstance(shown, Certificate):
        return None
    secret = str(shown.secret) if shown.secret.name else ""
    return {"secret": secret, "names": list(shown.names), "notAfter": shown.not_after}


def _address(host: str) -> str:
    """The address that `host` is, or that everybody takes it for; else empty."""
    if host == "localhost" or host.endswith(".localhost"):
        return LOCALHOST
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return ""


def _at(wanted: ListenerKey, place: Place) -> Found:
    for address in (wanted.address, *ANYWHERE):
        listener = place.table.listeners.get(wanted._replace(address=address))
        if listener is not None:
            return Found(listener, "")
    for key, state in place.states.items():
        if state.bound == wanted and key in place.table.listeners:
            return Found(place.table.listeners[key], f"{wanted} is where {key} is really served")
    return Found(None, f"nothing is served at {wanted}: {_others(wanted, place)}")


def _others(wanted: ListenerKey, place: Place) -> str:
    ports = sorted((key.port, key.transport) for key in place.table.listeners if key.address == wanted.address)
    if ports:
        return f"at {wanted.address} there are the ports {', '.join(f'{port}/{how}' for port, how in ports[:10])}"
    return "weft status shows what is served where"


def _service(host: str, config_set: ConfigSet) -> Named | None:
    """The Service that a name of Kubernetes' DNS means: NAME.NAMESPACE[.svc[.DOMAIN]], or NAME in ``default``."""
    name = host.removesuffix(".")
    for suffix in (f".svc.{config_set.node.cluster_domain}", ".svc"):
        if name.endswith(suffix):
            name = name.removesuffix(suffix)
            break
    label, _, namespace = name.partition(".")
    found = Named(namespace or "default", label)
    return found if found in config_set.services else None


def _of_service(named: Named, question: Question, place: Place) -> Found:
    service = place.config_set.services[named]
    spec = service.spec
    for address in service.addresses:
        listener = place.table.listeners.get(ListenerKey(address, question.port, question.transport))
        if listener is not None:
            return Found(listener, f"the name is that of Service {named}, whose clusterIP is {address}")
    if without := _without_address(spec):
        return Found(None, f"Service {named} {without}")
    ports = ", ".join(f"{each.port}/{each.protocol}" for each in spec.ports) or "(none)"
    return Found(None, f"Service {named} serves no port {question.port}/{question.transport}: it has the ports {ports}")


def _without_address(spec: ServiceSpec) -> str:
    """That a Service has no address of its own, and how its endpoints are found; empty: it may have one."""
    if spec.type == "ExternalName":
        return f"is an ExternalName, which has no port here: DNS answers its name with a CNAME to {spec.external_name}"
    if spec.cluster_ip == "None":
        return "is headless, which has no port here: DNS answers its name with the addresses of its endpoints"
    return ""


def _entrance(question: Question, place: Place) -> Found:
    """Any other name is an Ingress's: whoever has given it an address has given it the entrance's."""
    doors = [listener for listener in place.table.listeners.values() if listener.routes is not None]
    if not doors:
        return Found(None, f"{question.host} is no Service's name, and no Ingress is served")
    addresses = place.config_set.node.ingress
    wanted = ListenerKey(*parse_host_port(addresses.https if question.scheme == "https" else addresses.http))
    door = next((listener for listener in doors if listener.key == wanted), None)
    if door is None:
        return Found(None, f"nothing is served by {question.scheme} at the address of all Ingresses, {wanted}")
    if question.ported and question.port not in _ports(door.key, place):
        return Found(None, f"Ingresses are served at {door.key}, not at port {question.port}")
    return Found(door, f"the name is taken to lead to the address of all Ingresses, {door.key}")


def _ports(key: ListenerKey, place: Place) -> tuple[int, ...]:
    """Where it is to be reached: as wanted, and as bound."""
    state = place.states.get(key)
    return (key.port, state.bound.port) if state and state.bound else (key.port,)
