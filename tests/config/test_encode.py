"""Objects back to manifests: what was read comes back, defaults left out, and is read to the same object."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from config.configset import API_VERSIONS
from config.encode import encode
from config.loader import load, load_text
from config.meta import ObjectKey, ObjectMeta
from config.policies import RetryPolicy, TargetRef, TimeoutPolicy, TrafficPolicy, TrafficPolicySpec
from config.resources.core import Service, ServiceSpec
from tests.policy.source import ROOT

EVERYTHING = Path(__file__).with_name("everything.yaml")


def manifest(key: ObjectKey, item: object) -> str:
    return yaml.safe_dump({"apiVersion": API_VERSIONS[key.kind], "kind": key.kind} | encode(item))


@pytest.mark.parametrize("path", [EVERYTHING, ROOT / "examples" / "shop", ROOT / "examples" / "payment"], ids=str)
def test_what_is_written_is_read_to_the_same_object(path: Path) -> None:
    before = load([path]).config_set
    text = "\n---\n".join(manifest(key, before.get(key)) for key in before.sources)
    after = load_text(text, "again.yaml").config_set
    assert before.sources
    for key in before.sources:
        assert after.get(key) == before.get(key)


def test_durations_are_text_and_defaults_are_left_out() -> None:
    spec = TrafficPolicySpec(TargetRef("Service", "a"), timeouts=TimeoutPolicy(idle=90.0), retries=RetryPolicy())
    assert encode(TrafficPolicy(metadata=ObjectMeta(name="p"), spec=spec)) == {
        "metadata": {"name": "p"},
        "spec": {"targetRef": {"kind": "Service", "name": "a"}, "timeouts": {"idle": "1m30s"}, "retries": {}},
    }


def test_equal_objects_give_equal_manifests() -> None:
    """A text that equals the default, and is another object, is a default too."""
    other = "".join(["Cluster", "IP"])
    made = Service(metadata=ObjectMeta(name="a"), spec=ServiceSpec(type=other))  # type: ignore[arg-type]
    assert encode(made) == encode(Service(metadata=ObjectMeta(name="a"))) == {"metadata": {"name": "a"}}
