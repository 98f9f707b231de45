"""Roles: each is the command that starts it."""

from __future__ import annotations

from sidecar.cli import COMMANDS
from sidecar.roles import NODE, REGISTRY, UP


def test_each_role_has_its_command() -> None:
    assert {role.name for role in (UP, NODE, REGISTRY)} < set(COMMANDS)


def test_a_registry_needs_nothing_of_what_carries_traffic() -> None:
    assert (UP.needs_work, UP.carries_traffic) == (True, True)
    assert (NODE.needs_work, NODE.carries_traffic) == (False, True)
    assert (REGISTRY.needs_work, REGISTRY.carries_traffic) == (False, False)
