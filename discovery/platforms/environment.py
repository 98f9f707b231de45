"""The environment of a container, by kubelet's rules, and ``$(VAR)`` expansion.

From weak to strong: what is inherited from weft (a short list; its own environment is nobody's business), the
service variables of the namespace, what the platform says (HOSTNAME, HOST, PORT, ...), ``envFrom``, ``env``.
Values may refer with ``$(NAME)`` to whatever was defined before them; ``$$`` is a dollar sign; a reference to
nothing stays as it was written.  Pure functions; values are never logged, since some are secrets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import msgspec

from config.configset import ConfigSet
from config.local_ports import local_ports
from config.meta import Named
from config.resources.core import Secret, Service
from config.resources.workloads import Container, EnvFromSource, EnvVar, EnvVarSource, KeySelector
from config.settings import LOCAL_ADDRESS
from config.values import secret_keys, secret_value
from discovery.endpoint import ReplicaPort

INHERITED = ("PATH", "HOME", "LANG")

ServedAt = Callable[[str, int], int]
"""From an address and the port that is written to the port that is served there: another one, if weft has not the
right to that one."""

_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")


class MissingReference(Exception):
    """The environment names a ConfigMap, Secret, key or field that does not exist; says which."""


class PodFacts(msgspec.Struct, frozen=True):
    """What ``fieldRef`` can ask for."""

    name: str
    namespace: str
    address: str
    node: str
    node_address: str
    hostname: str
    listens: str = ""
    """Where its programs are to listen; empty: at its address."""
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace ``$(NAME)`` by its value and ``$$`` by ``$``; unknown names stay as written."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        return "$" if name is None else variables.get(name, match[0])

    return _REFERENCE.sub(value, text) if "$" in text else text


def environment(
    container: Container,
    pod: PodFacts,
    config: ConfigSet,
    beneath: Mapping[str, str],
    *,
    own: Sequence[ReplicaPort] = (),
    others: Sequence[ReplicaPort] = (),
) -> dict[str, str]:
    """All variables of one container on top of those `beneath`: what is inherited, and of services.

    `own` are its ports, `others` those of the replica's other containers.

    Raises MissingReference when something that is not optional does not exist.
    """
    variables = dict(beneath)
    variables.update(platform_variables(pod, own, others))
    for source in container.env_from:
        variables.update(_from_source(source, pod.namespace, config))
    for entry in container.env:
        if (value := _value(entry, variables, pod, config)) is not None:
            variables[entry.name] = _own_port(entry.name, value, own)
    return variables


def as_written(_address: str, port: int) -> int:
    """Of whoever may bind every port."""
    return port


def variables_beneath(
    namespace: str, config: ConfigSet, inherited: Mapping[str, str], served_at: ServedAt = as_written
) -> dict[str, str]:
    """What all containers of a namespace have: a few variables of weft's own, and those of services."""
    variables = {name: inherited[name] for name in INHERITED if name in inherited}
    for key, service in config.services.items():
        if key.namespace == namespace:
            variables.update(service_variables(service, served_at))
    return variables


def platform_variables(pod: PodFacts, own: Sequence[ReplicaPort], others: Sequence[ReplicaPort] = ()) -> dict[str, str]:
    """Where to listen: HOST, PORT (the container's first), PORT_<NAME> and PORT_<containerPort>."""
    variables = {"HOSTNAME": pod.hostname, "HOST": pod.listens or pod.address}
    if own:
        variables["PORT"] = str(own[0].port)
    for port in reversed((*own, *others)):  # of two with one name the container's own wins
        variables[f"PORT_{port.container_port}"] = str(port.port)
        if port.name:
            variables[f"PORT_{_upper(port.name)}"] = str(port.port)
    return variables


def service_variables(service: Service, served_at: ServedAt = as_written) -> dict[str, str]:
    """``NAME_SERVICE_HOST`` and its kind, as kubelet and Docker links write them; none without a clusterIP.

    Names have the port that is written, values the one where it is served: who follows them must get there.
    """
    address, ports = service.spec.cluster_ip, service.spec.ports
    if not ports or address in ("", "None") or service.spec.type == "ExternalName":
        return {}
    if local := local_ports(service):
        address = LOCAL_ADDRESS
    served = [local.get(port.key) or served_at(address, port.port) for port in ports]
    name = _upper(service.metadata.name)
    host = f"[{address}]" if ":" in address else address
    first = ports[0]
    variables = {
        f"{name}_SERVICE_HOST": address,
        f"{name}_SERVICE_PORT": str(served[0]),
        f"{name}_PORT": f"{first.protocol.lower()}://{host}:{served[0]}",
    }
    for port, number in zip(ports, served, strict=True):
        if port.name:
            variables[f"{name}_SERVICE_PORT_{_upper(port.name)}"] = str(number)
        link = f"{name}_PORT_{port.port}_{port.protocol}"
        variables[link] = f"{port.protocol.lower()}://{host}:{number}"
        variables[f"{link}_PROTO"] = port.protocol.lower()
        variables[f"{link}_PORT"] = str(number)
        variables[f"{link}_ADDR"] = address
    return variables


def _upper(name: str) -> str:
    return name.upper().replace("-", "_").replace(".", "_")


def _own_port(name: str, value: str, ports: Sequence[ReplicaPort]) -> str:
    """A manifest's ``PORT: "8080"`` means "listen on the containerPort", which is elsewhere here."""
    if name == "PORT":
        return next((str(port.port) for port in ports if str(port.container_port) == value), value)
    return value


def _value(entry: EnvVar, variables: Mapping[str, str], pod: PodFacts, config: ConfigSet) -> str | None:
    if entry.value_from is None:
        return expand(entry.value, variables)
    return _referred(entry.value_from, pod, config)


def _referred(source: EnvVarSource, pod: PodFacts, config: ConfigSet) -> str | None:
    """The value that ``valueFrom`` points at; None when it is optional, or of a kind that has no value here."""
    if source.field_ref:
        return _field(source.field_ref.field_path, pod)
    if selector := source.config_map_key_ref:
        return _key("ConfigMap", selector, _config_map(selector.name, pod.namespace, config))
    if selector := source.secret_key_ref:
        return _key("Secret", selector, _secret(selector.name, pod.namespace, config))
    return None


def _key(kind: str, selector: KeySelector, data: Mapping[str, str] | None) -> str | None:
    if data is not None and selector.key in data:
        return data[selector.key]
    if selector.optional:
        return None
    what = "does not exist" if data is None else f"has no key {selector.key!r}"
    raise MissingReference(f"{kind} {selector.name!r} {what}")


def _from_source(source: EnvFromSource, namespace: str, config: ConfigSet) -> dict[str, str]:
    for kind, reference, find in (
        ("ConfigMap", source.config_map_ref, _config_map),
        ("Secret", source.secret_ref, _secret),
    ):
        if reference is None:
            continue
        data = find(reference.name, namespace, config)
        if data is None and not reference.optional:
            raise MissingReference(f"{kind} {reference.name!r} does not exist")
        named = {source.prefix + key: value for key, value in (data or {}).items()}
        return {name: value for name, value in named.items() if name and "=" not in name}
    return {}


def _config_map(name: str, namespace: str, config: ConfigSet) -> Mapping[str, str] | None:
    found = config.config_maps.get(Named(namespace, name))
    return found.data if found else None


def _secret(name: str, namespace: str, config: ConfigSet) -> Mapping[str, str] | None:
    found = config.secrets.get(Named(namespace, name))
    return _plain(found) if found else None


def _plain(secret: Secret) -> dict[str, str]:
    try:
        values = {key: secret_value(secret, key) or b"" for key in secret_keys(secret)}
    except ValueError as fault:
        raise MissingReference(f"Secret {secret.metadata.name!r} has a value that {fault}") from None
    return {key: value.decode("utf-8", "surrogateescape") for key, value in values.items()}


_FIELDS: Mapping[str, Callable[[PodFacts], str]] = {
    "metadata.name": lambda pod: pod.name,
    "metadata.namespace": lambda pod: pod.namespace,
    "metadata.uid": lambda pod: pod.name,
    "spec.nodeName": lambda pod: pod.node,
    "spec.serviceAccountName": lambda _: "default",
    "status.podIP": lambda pod: pod.address,
    "status.podIPs": lambda pod: pod.address,
    "status.hostIP": lambda pod: pod.node_address,
    "status.hostIPs": lambda pod: pod.node_address,
}


def _field(path: str, pod: PodFacts) -> str:
    if subscript := _SUBSCRIPT.fullmatch(path):
        carried = pod.labels if subscript[1] == "labels" else pod.annotations
        return carried.get(subscript[2], "")
    if path not in _FIELDS:
        raise MissingReference(f"fieldPath {path!r} is none of {', '.join(_FIELDS)}, metadata.labels['KEY']")
    return _FIELDS[path](pod)
