"""Label selectors (meta/v1): what they may say, and what they select."""

from __future__ import annotations

from config.meta import LabelRequirement, LabelSelector
from config.naming import LABEL_VALUE, label_key, shown
from config.validation.metadata import check_labels
from config.validation.report import ObjectReport

_WITH_VALUES = ("In", "NotIn")
_WITHOUT_VALUES = ("Exists", "DoesNotExist")


def check_selector(selector: LabelSelector, path: str, report: ObjectReport) -> None:
    check_labels(selector.match_labels, f"{path}.matchLabels", report)
    for i, requirement in enumerate(selector.match_expressions):
        _check_requirement(requirement, f"{path}.matchExpressions[{i}]", report)


def is_empty(selector: LabelSelector) -> bool:
    return not selector.match_labels and not selector.match_expressions


def _check_requirement(requirement: LabelRequirement, path: str, report: ObjectReport) -> None:
    report.check(f"{path}.key", label_key(requirement.key))
    if requirement.operator in _WITH_VALUES:
        if not requirement.values:
            report.error(f"{path}.values", f"{requirement.operator} needs at least one value", f"{path}.operator")
    elif requirement.operator not in _WITHOUT_VALUES:
        words = ", ".join(_WITH_VALUES + _WITHOUT_VALUES)
        report.error(f"{path}.operator", f"{shown(requirement.operator)} is none of {words}")
    elif requirement.values:
        report.error(f"{path}.values", f"{requirement.operator} takes no values: remove them", f"{path}.operator")
    for i, value in enumerate(requirement.values):
        report.check(f"{path}.values[{i}]", LABEL_VALUE.problem(value))
