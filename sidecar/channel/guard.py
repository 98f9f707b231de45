"""What a node takes of what it is sent: the registry says what is served, and never what is executed here.

A NodeConfig is not taken, nor a Deployment that this process was not told to run (``--run NAMESPACE/NAME``).  Of one
that it was, what runs is this node's own ``images``: its ``command`` is left out, and a Deployment that would have
commands executed in another way, by probes or hooks, is not taken at all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final

import msgspec

from config.configset import KINDS
from sidecar.channel.messages import Manifest

_CONTAINERS: Final = ("containers", "initContainers")


class NotTaken(Exception):
    """The text says why."""


def taken(manifest: Manifest, runs: Collection[str]) -> bytes:
    """The JSON that is in force here; `runs`: ``NAMESPACE/NAME`` of Deployments.  Raises `NotTaken`."""
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


def _without_commands(manifest: Manifest, plain: Any, runs: Collection[str]) -> bytes:
    if f"{manifest.namespace}/{manifest.name}" not in runs:
        raise NotTaken("this process does not run it")
    pod = plain["spec"]["template"]["spec"]
    for container in (each for name in _CONTAINERS for each in pod.get(name) or ()):
        if any(_commands(container)):
            raise NotTaken("it has commands executed by a probe or a hook, which only a node's own files may say")
        container.pop("command", None)
    return msgspec.json.encode(plain)


def _commands(value: Any) -> Iterator[bool]:
    """Yields True for each ``exec`` within, however deep."""
    if isinstance(value, dict):
        if "exec" in value:
            yield True
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _commands(inner)
