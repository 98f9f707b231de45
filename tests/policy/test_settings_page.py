"""SETTINGS.md names every field of Weft's own kinds and no other, and what it shows is valid."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from config.policies import TrafficPolicySpec
from config.settings import NodeConfigSpec
from sidecar import cli
from tests.policy.source import ROOT

PAGE = (ROOT / "SETTINGS.md").read_text()
SECTIONS = {section.split(":")[0]: section for section in PAGE.split("\n## ")[1:]}
KINDS = {"NodeConfig": NodeConfigSpec, "TrafficPolicy": TrafficPolicySpec}


def leaves(struct: Any, prefix: str = "") -> Iterator[str]:
    """The paths of the fields that hold no struct: ``ingress.http``."""
    for field in msgspec.structs.fields(struct):
        inner = [one for one in (field.type, *get_args(field.type)) if hasattr(one, "__struct_fields__")]
        path = prefix + field.encode_name
        if inner:
            yield from leaves(inner[0], f"{path}.")
        else:
            yield path


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_has_a_row(kind: str) -> None:
    heads = re.findall(r"^\| (`[^|]*`) \|", SECTIONS[kind], re.MULTILINE)
    named = [name for head in heads for name in re.findall(r"`([^`]+)`", head)]
    assert sorted(named) == sorted(leaves(KINDS[kind]))


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_is_valid(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example = re.findall(r"```yaml\n(.*?)```", SECTIONS[kind], re.DOTALL)[0]
    (tmp_path / "example.yaml").write_text(example)
    service = (ROOT / "examples/payment/service.yaml").read_text().replace("- protocol: TCP", "- name: http")
    (tmp_path / "service.yaml").write_text(service)
    assert cli.main(["validate", str(tmp_path)]) == 0, capsys.readouterr().out
