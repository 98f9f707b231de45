"""What is said about fields that Weft does not act on; all names in the tables exist."""

from __future__ import annotations

import pytest

from config.unused import DEFAULTS, EFFECTS, SILENT, effect, is_silent
from config.vocabulary import vocabulary

TABLES = (EFFECTS, SILENT, DEFAULTS)
NAMED = [(type_name, field) for table in TABLES for type_name, fields in table.items() for field in fields]


@pytest.mark.parametrize(("type_name", "field"), sorted(set(NAMED)))
def test_every_name_is_one_of_kubernetes(type_name: str, field: str) -> None:
    assert field in vocabulary().types[type_name]


CASES = [
    ("V1Deployment", "status", None, True),
    ("V1ObjectMeta", "uid", "a", True),
    ("V1PodSpec", "dnsPolicy", "ClusterFirst", True),
    ("V1PodSpec", "dnsPolicy", "None", False),
    ("V1PodSpec", "hostNetwork", "true", False),
    ("V1PodSpec", "hostNetwork", "false", True),
    ("V1PodSpec", "volumes", None, False),
    ("V1Container", "terminationMessagePath", "/dev/termination-log", True),
]


@pytest.mark.parametrize(("type_name", "field", "value", "silent"), CASES)
def test_silence(type_name: str, field: str, value: str | None, silent: bool) -> None:
    assert is_silent(type_name, field, value) is silent


def test_what_behaves_differently_says_how() -> None:
    assert effect("V1PodSpec", "initContainers") == "init containers are not run"
    assert effect("V1PodSpec", "overhead") == ""
