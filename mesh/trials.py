"""Why a request goes where it goes: each rule is tried by its own words, and says why it won or lost.

This is for people who ask, so it looks at every rule; `mesh.matcher` comes to the same winner without.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Generic, NamedTuple, TypeVar

from mesh.paths import matched_path
from mesh.rules import Loss, Rule

T = TypeVar("T")


class Trial(NamedTuple, Generic[T]):
    rule: Rule[T]
    won: bool
    why: str
    """A sentence without a full stop."""


def trials(rules: Sequence[Rule[T]], losses: Sequence[Loss[T]], host: bytes, target: bytes) -> Iterator[Trial[T]]:
    """All `rules`: those that are for the host first, what counts more before what counts less; at most one has won."""
    name = host.lower().removesuffix(b".").decode("ascii", "backslashreplace")
    path = matched_path(target)
    holders = {id(loss.loser): loss.winner for loss in losses}
    ordered = sorted((each for each in rules if not _host_failure(each, name)), key=_authority)
    failures = [_failure(each, holders.get(id(each)), path) for each in ordered]
    winner = next((each for each, failure in zip(ordered, failures, strict=True) if not failure), None)
    for each, failure in zip(ordered, failures, strict=True):
        won = each is winner
        yield Trial(each, won, failure or (_merit(each) if winner is None or won else _yields(each, winner)))
    for each in rules:
        if failure := _host_failure(each, name):
            yield Trial(each, False, failure)


def _authority(rule: Rule[T]) -> tuple[bool, int, int, bool]:
    """Sorts what counts more to the front: paths before defaults, then exact hosts, long paths, Exact before Prefix."""
    return (rule.kind == "Default", -_exactness(rule.host), -len(rule.key), rule.kind == "Prefix")


def _exactness(host: str) -> int:
    if not host:
        return 0
    return 1 if host.startswith("*") else 2


def _host_failure(rule: Rule[T], host: str) -> str:
    """Why the rule is not for this host; empty if it is."""
    if rule.host.startswith("*"):
        label, _, parent = host.partition(".")
        if parent != rule.host[2:] or not label:
            return f"the host is {host}, which is not one label and {rule.host[1:]}"
    elif rule.host not in ("", host):
        return f"the host is {host}"
    return ""


def _failure(rule: Rule[T], holder: Rule[T] | None, path: bytes) -> str:
    """Why the rule is not for this path, or for no path at all; empty if it is."""
    if holder is not None:
        return f"{holder} of {holder.owner} has its place"
    return "" if rule.kind == "Default" else _path_failure(rule, path)


def _path_failure(rule: Rule[T], path: bytes) -> str:
    shown = path.decode("ascii", "backslashreplace")
    if rule.kind == "Exact":
        return "" if path == rule.key else f"the path is {shown}"
    if not rule.key or path == rule.key or path.startswith(rule.key + b"/"):
        return ""
    return f"the path is {shown}, which does not begin with the elements of {rule.path}"


def _merit(rule: Rule[T]) -> str:
    if rule.kind == "Default":
        return "no path matches"
    return "it matches, and nothing that matches comes before it"


def _yields(rule: Rule[T], winner: Rule[T]) -> str:
    """Why a rule that is met counts less than the winner."""
    if rule.kind == "Default":
        return f"{winner} matches" if winner.kind != "Default" else f"{winner} is for a more exact host"
    if rule.host != winner.host:
        return f"{winner} matches, and has the more exact host"
    if len(rule.key) == len(winner.key):
        return f"{winner} matches, and Exact comes before Prefix"
    return f"{winner} matches, and is longer"
