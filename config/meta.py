"""What every object has: a name, labels, and the place in a file where it was written.

The words are those of Kubernetes' API conventions (meta/v1).  All types are frozen; an object that did
not change between two loads is the same Python object, so that later stages can compare by identity.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple, dataclass_transform

import msgspec
from msgspec import Meta

Port = Annotated[int, Meta(ge=1, le=65535)]
"""A transport port number, 1-65535."""

IntOrString = int | str
"""A port number, or the name of a port (Kubernetes' IntOrString); a percentage where that is allowed."""

Quantity = Annotated[str, Meta(extra={"format": "quantity"})]
"""Kubernetes quantity as text: ``100m``, ``1.5``, ``128Mi``; see `config.quantity`."""

Confidential = Annotated[str, Meta(extra={"format": "confidential"})]
"""Text that may be a secret: no message quotes it."""

HostPort = Annotated[str, Meta(extra={"format": "host-port"})]
"""Where to listen, as text: ``127.0.0.1:8080``; see `config.addresses`."""

Duration = Annotated[float, Meta(ge=0, extra={"format": "duration"})]
"""Seconds; written as Go durations in files: ``300ms``, ``1s``, ``1m30s``, ``1h``."""


class Source(NamedTuple):
    """A place in a file; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class ObjectKey(NamedTuple):
    """Kind, namespace (empty for cluster-wide kinds) and name: what identifies an object."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return "/".join(part for part in self if part)


class Named(NamedTuple):
    """Namespace and name, where the kind is known from the context."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
class Spec(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """Base of all manifest types: frozen, camelCase in files, snake_case in Python.

    What is made from text is a tree, so the garbage collector need not look for cycles in it.
    """


class ObjectMeta(Spec):
    """``metadata``; `namespace` is ``default`` when absent on a namespaced kind, empty on others."""

    name: str
    namespace: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    creation_timestamp: str = ""
    """RFC 3339, as written; empty when absent.  The older object wins ties between Ingresses."""


def seniority(metadata: ObjectMeta) -> tuple[str, str, str]:
    """Sorts objects of one kind so that the one that keeps what several claim is first: the older, then by name."""
    return (metadata.creation_timestamp or "~", metadata.namespace, metadata.name)


class LabelRequirement(Spec):
    """One of ``matchExpressions``."""

    key: str
    operator: str
    """In, NotIn, Exists or DoesNotExist."""
    values: tuple[str, ...] = ()


class LabelSelector(Spec):
    """``matchLabels`` and ``matchExpressions``, all of which must hold."""

    match_labels: dict[str, str] = {}
    match_expressions: tuple[LabelRequirement, ...] = ()


def matches(selector: dict[str, str], labels: dict[str, str]) -> bool:
    """Whether `labels` carry every pair of an equality `selector` (a Service's)."""
    return all(labels.get(key) == value for key, value in selector.items())


def selects(selector: LabelSelector, labels: dict[str, str]) -> bool:
    """Whether `labels` fulfil the whole selector; an empty one selects everything."""
    return matches(selector.match_labels, labels) and all(
        _fulfils(requirement, labels) for requirement in selector.match_expressions
    )


def _fulfils(requirement: LabelRequirement, labels: dict[str, str]) -> bool:
    value = labels.get(requirement.key)
    if requirement.operator == "In":
        return value in requirement.values
    if requirement.operator == "NotIn":
        return value not in requirement.values
    return (value is not None) == (requirement.operator == "Exists")
