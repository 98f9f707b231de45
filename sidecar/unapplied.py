"""Fields of the NodeConfig that are read once, when weft starts: to change them it must be started again."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import fields

from config.configset import ConfigSet
from config.errors import Fault
from config.meta import ObjectKey, Source
from config.settings import NodeConfigSpec

AT_START = frozenset({"admin", "dns", "resolver", "access_log", "access_log_format", "recent"})


def unapplied(started_with: NodeConfigSpec, config_set: ConfigSet) -> Iterator[Fault]:
    """A warning for each field that differs from what this process was started with, and stays as it was."""
    if config_set.node == started_with:
        return
    key = next((key for key in config_set.sources if key.kind == "NodeConfig"), None)
    where = config_set.sources[key] if key else Source("", 1, 1)
    for field in fields(NodeConfigSpec):
        same = getattr(config_set.node, field.name) == getattr(started_with, field.name)
        if field.name in AT_START and not same:
            message = "weft must be started again for this change to take effect"
            yield Fault("warning", where, message, key or ObjectKey("NodeConfig", "", ""), f"spec.{field.encode_name}")
