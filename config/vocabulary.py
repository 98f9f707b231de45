"""All that Kubernetes knows of our kinds, and the names of all its kinds: ``vocabulary.json``.

The file is generated from Kubernetes' OpenAPI document (`make vocabulary`) and says for each type its fields, and
for each field its shape: ``text``, ``number``, ``boolean``, ``any``, a type's name, ``[]`` and ``{}`` before what a
list or a map holds.  It is read on first use, and only where manifests are parsed.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from config.configset import API_VERSIONS, KINDS, OWN_VERSION
from config.suggestions import did_you_mean
from config.walk import shorten

OBJECT_META = "V1ObjectMeta"


class Vocabulary(msgspec.Struct, frozen=True):
    source: str
    roots: dict[str, str]
    """Kind to the type of its objects."""
    kinds: dict[str, tuple[str, ...]]
    """apiVersion to kinds: all of Kubernetes, not only what Weft uses."""
    types: dict[str, dict[str, str]]


@cache
def vocabulary() -> Vocabulary:
    data = Path(__file__).with_name("vocabulary.json").read_bytes()
    return msgspec.json.decode(data, type=Vocabulary)


class Verdict(msgspec.Struct, frozen=True):
    """What is to be done with an object: ``used``, ``unused`` (a kind Weft does not act on) or ``wrong``."""

    outcome: Literal["used", "unused", "wrong"]
    message: str = ""


def recognise(api_version: str, kind: str, suggest: bool = True) -> Verdict:
    """Judge an object by its apiVersion and kind; to look for what was meant (`suggest`) is what costs time."""
    if API_VERSIONS.get(kind) == api_version:
        return Verdict("used")
    group = api_version.rpartition("/")[0]
    if kind in API_VERSIONS and not _foreign(group):
        return Verdict("wrong", f"{kind} in apiVersion {shorten(api_version)}: write apiVersion: {API_VERSIONS[kind]}")
    if api_version == OWN_VERSION:
        own = tuple(name for name, version in API_VERSIONS.items() if version == OWN_VERSION)
        return Verdict("wrong", f'{OWN_VERSION} has no kind "{shorten(kind)}"{did_you_mean(kind, own)}')
    known = _kubernetes_kinds()
    if kind in known and (group in known[kind] or not _foreign(group)):
        return Verdict("unused", f"the kind {kind} of Kubernetes is not used by Weft")
    if _foreign(group):
        return Verdict("unused", f"the custom resource {shorten(kind)} of {shorten(group)} is not used by Weft")
    suggestion = did_you_mean(kind, (*KINDS, *known)) if suggest else ""
    return Verdict(
        "wrong", f'Kubernetes has no kind "{shorten(kind)}" in apiVersion {shorten(api_version)}{suggestion}'
    )


@cache
def _kubernetes_kinds() -> Mapping[str, frozenset[str]]:
    """Kind to the groups that have it."""
    found: dict[str, set[str]] = {}
    for version, kinds in vocabulary().kinds.items():
        for kind in kinds:
            found.setdefault(kind, set()).add(version.rpartition("/")[0])
    return {kind: frozenset(groups) for kind, groups in found.items()}


@cache
def _groups() -> frozenset[str]:
    return frozenset({version.rpartition("/")[0] for version in vocabulary().kinds} | {"extensions", "weft.dev"})


def _foreign(group: str) -> bool:
    """Whether a group can only be someone's custom resources: a domain, and no misspelling of Kubernetes' own."""
    if group in _groups() or "." not in group or len(group) > 253:
        return False
    return not get_close_matches(group, _groups(), n=1, cutoff=0.87)
