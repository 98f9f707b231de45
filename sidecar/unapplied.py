"""Fields of the NodeConfig that are read once, when weft starts: to change them it must be started again."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import fields

from config.configset import ConfigSet
from config.errors import Fault
from config.meta import ObjectKey, Source
from config.settings import NodeConfigSpec

AT_START = frozenset({"admin", "dns", "resolver", "access_log", "access_log_format", "recent"})
REGISTRY_AT_START = frozenset({"servers", "key", "lease"})
"""Of what it says of the registry."""


def unapplied(started_with: NodeConfigSpec, config_set: ConfigSet) -> Iterator[Fault]:
    """A warning for each field that differs from what this process was started with, and stays as it was."""
    if config_set.node == started_with:
        return
    key = next((key for key in config_set.sources if key.kind == "NodeConfig"), None)
    where = config_set.sources[key] if key else Source("", 1, 1)
    parts = (
        ("spec", started_with, config_set.node, AT_START),
        ("spec.registry", started_with.registry, config_set.node.registry, REGISTRY_AT_START),
    )
    for path, before, now, at_start in parts:
        for field in fields(type(now)):
            if field.name in at_start and getattr(now, field.name) != getattr(before, field.name):
                message = "weft must be started again for this change to take effect"
                named = key or ObjectKey("NodeConfig", "", "")
                yield Fault("warning", where, message, named, f"{path}.{field.encode_name}")
