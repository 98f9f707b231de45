"""What selectors select; what they may say is tested with the Deployments that have them."""

from __future__ import annotations

import pytest

from config.meta import LabelRequirement, LabelSelector, selects
from config.validation.selectors import is_empty

LABELS = {"app": "web", "tier": "front"}


@pytest.mark.parametrize(
    ("selector", "outcome"),
    [
        (LabelSelector(), True),
        (LabelSelector({"app": "web"}), True),
        (LabelSelector({"app": "web", "tier": "back"}), False),
        (LabelSelector(match_expressions=(LabelRequirement("app", "In", ("api", "web")),)), True),
        (LabelSelector(match_expressions=(LabelRequirement("app", "In", ("api",)),)), False),
        (LabelSelector(match_expressions=(LabelRequirement("app", "NotIn", ("api",)),)), True),
        (LabelSelector(match_expressions=(LabelRequirement("app", "NotIn", ("web",)),)), False),
        (LabelSelector(match_expressions=(LabelRequirement("zone", "NotIn", ("a",)),)), True),
        (LabelSelector(match_expressions=(LabelRequirement("app", "Exists"),)), True),
        (LabelSelector(match_expressions=(LabelRequirement("zone", "Exists"),)), False),
        (LabelSelector(match_expressions=(LabelRequirement("zone", "DoesNotExist"),)), True),
        (LabelSelector(match_expressions=(LabelRequirement("app", "DoesNotExist"),)), False),
        (LabelSelector({"app": "web"}, (LabelRequirement("tier", "In", ("back",)),)), False),
    ],
    ids=str,
)
def test_selects(selector: LabelSelector, outcome: bool) -> None:
    assert selects(selector, LABELS) is outcome


def test_is_empty() -> None:
    assert is_empty(LabelSelector())
    assert not is_empty(LabelSelector({"app": "web"}))
    assert not is_empty(LabelSelector(match_expressions=(LabelRequirement("app", "Exists"),)))
