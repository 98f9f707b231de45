"""Whose an Ingress is: Kubernetes lets several controllers share a cluster, and each serves its own classes.

Served are the class ``weft``, the classes whose IngressClass names our controller, and Ingresses without a class
unless there is a default class, which they then have.  A class that nobody describes is served too, and said so:
manifests that were written for another controller then work on one machine as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from config.meta import Named
from config.resources.networking import OWN_CLASS, OWN_CONTROLLER, Ingress, IngressClass


class Verdict(NamedTuple):
    served: bool
    remark: str = ""
    """Why it is not, or why it is although it may be meant for others."""


_SERVED: Final = Verdict(True)


def default_classes(classes: Mapping[Named, IngressClass]) -> tuple[str, ...]:
    """The names of the classes that Ingresses without one have; more than one is a mistake."""
    return tuple(sorted(named.name for named, item in classes.items() if item.is_default))


def verdict(ingress: Ingress, classes: Mapping[Named, IngressClass], defaults: tuple[str, ...]) -> Verdict:
    """Whether `ingress` is served here; `defaults` are the `default_classes`."""
    name = ingress.class_name
    if name == OWN_CLASS:
        return _SERVED
    if name:
        return _named(name, classes)
    if len(defaults) > 1:
        return Verdict(False, f"it names no class, and there are several default ones: {', '.join(defaults)}")
    return _named(defaults[0], classes) if defaults else _SERVED


def _named(name: str, classes: Mapping[Named, IngressClass]) -> Verdict:
    item = classes.get(Named("", name))
    if item is None:
        return Verdict(True, f"there is no IngressClass {name}: it is served as if the class were {OWN_CLASS}")
    if item.spec.controller == OWN_CONTROLLER or name == OWN_CLASS:
        return _SERVED
    return Verdict(False, f"its class {name} is served by {item.spec.controller}, not by {OWN_CONTROLLER}")
