"""Which changes of the NodeConfig need a restart."""

from __future__ import annotations

from msgspec.structs import fields

from config.configset import ConfigSet
from config.loader import load_text
from config.settings import NodeConfigSpec, RegistrySettings, ResolverSettings
from sidecar.unapplied import AT_START, REGISTRY_AT_START, unapplied

NODE = "apiVersion: weft.dev/v1\nkind: NodeConfig\nmetadata: {name: here}\nspec: {admin: '127.0.0.1:1', zone: x}\n"


def test_what_is_read_at_the_start_is_named() -> None:
    (fault,) = unapplied(NodeConfigSpec(), load_text(NODE, "node.yaml").config_set)
    assert str(fault) == (
        "node.yaml:1:1: NodeConfig/here: spec.admin: weft must be started again for this change to take effect"
    )
    assert fault.severity == "warning"


def test_a_node_config_that_is_gone_is_named_too() -> None:
    started = NodeConfigSpec(resolver=ResolverSettings(forward=True), zone="x")
    (fault,) = unapplied(started, ConfigSet())
    assert (fault.path, fault.source.file) == ("spec.resolver", "")


def test_what_says_whom_a_node_follows_is_named() -> None:
    started = NodeConfigSpec(registry=RegistrySettings(servers=("192.0.2.1:53",), also_notify=("192.0.2.2:53",)))
    (fault,) = unapplied(started, ConfigSet())
    assert fault.path == "spec.registry.servers"


def test_nothing_changed() -> None:
    assert list(unapplied(NodeConfigSpec(), ConfigSet())) == []


def test_the_fields_exist() -> None:
    assert AT_START.issubset(field.name for field in fields(NodeConfigSpec))
    assert REGISTRY_AT_START.issubset(field.name for field in fields(RegistrySettings))
