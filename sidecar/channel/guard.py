"""What a node takes of what it is sent: the registry says what is served, and never what is executed here.

A NodeConfig is not taken, nor a Deployment that this process was not told to run (``--run NAMESPACE/NAME``).  Of one
that it was, what runs is this node's own ``images``: its ``command`` is left out, and so are ``args``, ``env`` and
``workingDir``, by which nearly every program can be made to execute another one, unless the node's own command line
takes them (``--run-with``).  A Deployment that would have commands executed by probes or hooks is not taken at all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final, NamedTuple

import msgspec

from config.configset import KINDS
from sidecar.channel.messages import Manifest

_CONTAINERS: Final = ("containers", "initContainers")
OPTIONAL: Final = {"args": ("args",), "env": ("env", "envFrom"), "workingDir": ("workingDir",)}
"""What ``--run-with`` can say, and the fields of a container that it is about."""
_NEVER: Final = ("command",)


class Runs(NamedTuple):
    """What of the registry's Deployments this process runs."""

    deployments: Collection[str] = ()
    """``NAMESPACE/NAME``."""
    fields: Collection[str] = ()
    """Of `OPTIONAL`: what is taken of them, besides their images."""


class NotTaken(Exception):
    """The text says why."""


def taken(manifest: Manifest, runs: Runs) -> bytes:
    """The JSON that is in force here.  Raises `NotTaken`."""
    if manifest.kind not in KINDS:
        raise NotTaken("this weft does not know its kind")
    if manifest.kind == "NodeConfig":
        raise NotTaken("a NodeConfig comes only from a node's own files")
    try:
        plain = msgspec.json.decode(manifest.body)
        named = plain["kind"], plain["metadata"].get("namespace", ""), plain["metadata"]["name"]
        if named != manifest.key:
            raise NotTaken("it is another object than it is said to be")
        return _without_commands(manifest, plain, runs) if manifest.kind == "Deployment" else bytes(manifest.body)
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError, RecursionError):
        raise NotTaken("it is no manifest") from None


def left_out(manifest: Manifest, runs: Runs) -> list[str]:
    """The fields that `taken` leaves out of a manifest that it takes."""
    if manifest.kind != "Deployment":
        return []
    pod = msgspec.json.decode(manifest.body)["spec"]["template"]["spec"]
    there = {field for each in _containers(pod) for field in each}
    return [field for field in _not_taken(runs) if field in there]


def _without_commands(manifest: Manifest, plain: Any, runs: Runs) -> bytes:
    if f"{manifest.namespace}/{manifest.name}" not in runs.deployments:
        raise NotTaken("this process does not run it")
    pod = plain["spec"]["template"]["spec"]
    for container in _containers(pod):
        if any(_commands(container)):
            raise NotTaken("it has commands executed by a probe or a hook, which only a node's own files may say")
        for field in _not_taken(runs):
            container.pop(field, None)
    return msgspec.json.encode(plain)


def _containers(pod: Any) -> Iterator[Any]:
    return (each for name in _CONTAINERS for each in pod.get(name) or ())


def _not_taken(runs: Runs) -> Iterator[str]:
    yield from _NEVER
    for name, fields in OPTIONAL.items():
        if name not in runs.fields:
            yield from fields


def _commands(value: Any) -> Iterator[bool]:
    """Yields True for each ``exec`` within, however deep."""
    if isinstance(value, dict):
        if "exec" in value:
            yield True
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _commands(inner)
