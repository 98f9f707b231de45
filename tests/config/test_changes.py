"""What became of a set of objects."""

from __future__ import annotations

import pytest

from config.changes import Changes, changes, same
from config.configset import ConfigSet, ConfigSetBuilder
from config.loader import load_text
from config.meta import ObjectKey

SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: %s}\nspec: {ports: [{port: %d}]}\n---\n"
NODE = "apiVersion: weft.dev/v1\nkind: NodeConfig\nmetadata: {name: x}\nspec: {zone: %s}\n---\n"
BEFORE = SERVICE % ("a", 1) + SERVICE % ("b", 1) + NODE % "z"


def key(name: str) -> ObjectKey:
    return ObjectKey("Service", "default", name)


CASES = {
    "nothing": (BEFORE, Changes(), "nothing changed"),
    "added": (BEFORE + SERVICE % ("c", 1), Changes(added=(key("c"),)), "1 added"),
    "changed": (SERVICE % ("a", 2) + SERVICE % ("b", 1) + NODE % "z", Changes(changed=(key("a"),)), "1 changed"),
    "removed": (SERVICE % ("b", 1) + NODE % "z", Changes(removed=(key("a"),)), "1 removed"),
    "node": (BEFORE.replace("zone: z", "zone: w"), Changes(changed=(ObjectKey("NodeConfig", "", "x"),)), "1 changed"),
    "no node": (
        SERVICE % ("a", 1) + SERVICE % ("c", 1),
        Changes((key("c"),), (ObjectKey("NodeConfig", "", ""),), (key("b"),)),
        "1 added, 1 changed, 1 removed",
    ),
}


def reloaded(before: ConfigSet, text: str) -> ConfigSet:
    now, builder = load_text(text, "f").config_set, ConfigSetBuilder(before)
    for key, source in now.sources.items():
        builder.add(key, source, now.get(key))
    return builder.finish()


@pytest.mark.parametrize("name", CASES)
def test_changes(name: str) -> None:
    text, expected, words = CASES[name]
    before = load_text(BEFORE, "f").config_set
    now = reloaded(before, text)
    assert changes(before, now) == expected
    assert str(expected) == words
    assert same(before, now) is (name == "nothing")


def test_a_line_further_down_is_the_same_object_elsewhere() -> None:
    before = load_text(BEFORE, "f").config_set
    now = reloaded(before, f"# a remark\n{BEFORE}")
    assert changes(before, now) == Changes()
    assert not same(before, now)
