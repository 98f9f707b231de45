"""Label selectors (meta/v1): what they may say, and what they select."""

from __future__ import annotations

from collections.abc import Mapping

from config.meta import LabelRequirement, LabelSelector, matches
from config.naming import LABEL_VALUE, label_key, shown
from config.validation.metadata import check_labels
from config.validation.report import ObjectReport

_WITH_VALUES = ("In", "NotIn")
_WITHOUT_VALUES = ("Exists", "DoesNotExist")


def check_selector(selector: LabelSelector, path: str, report: ObjectReport) -> None:
    check_labels(selector.match_labels, f"{path}.matchLabels", report)
    for i, requirement in enumerate(selector.match_expressions):
        _check_requirement(requirement, f"{path}.matchExpressions[{i}]", report)


def selects(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Whether `labels` fulfil the whole selector; an empty one selects everything."""
    return matches(selector.match_labels, dict(labels)) and all(
        _fulfils(requirement, labels) for requirement in selector.match_expressions
    )


def is_empty(selector: LabelSelector) -> bool:
    return not selector.match_labels and not selector.match_expressions


def _fulfils(requirement: LabelRequirement, labels: Mapping[str, str]) -> bool:
    value = labels.get(requirement.key)
    if requirement.operator == "In":
        return value in requirement.values
    if requirement.operator == "NotIn":
        return value not in requirement.values
    return (value is not None) == (requirement.operator == "Exists")


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
