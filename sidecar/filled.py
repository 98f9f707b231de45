"""Objects as a cluster shows them: with the defaults written out that hold where nothing is said.

Objects in force are listed without what has its default.  Readers of Kubernetes' objects expect ``type`` and
``protocol`` there, so for the kinds of Kubernetes they are filled in from the types; what is empty, zero or false stays
out, as it does there, and so does what Kubernetes lets an object say only if it is of another type.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args

import msgspec

from config.configset import API_VERSIONS, KINDS, OWN_VERSION

Plain = dict[str, Any]

_BALANCED: Final = ("LoadBalancer",)
_OUTSIDE: Final = ("NodePort", *_BALANCED)
_INSIDE: Final = ("ClusterIP", *_OUTSIDE)
_ONLY_OF: Final[Mapping[tuple[str, str], tuple[str, tuple[str, ...]]]] = {
    ("ServiceSpec", "sessionAffinityConfig"): ("sessionAffinity", ("ClientIP",)),
    ("ServiceSpec", "internalTrafficPolicy"): ("type", _INSIDE),
    ("ServiceSpec", "externalTrafficPolicy"): ("type", _OUTSIDE),
    ("ServiceSpec", "allocateLoadBalancerNodePorts"): ("type", _BALANCED),
    ("DeploymentStrategy", "rollingUpdate"): ("type", ("RollingUpdate",)),
}
"""By struct and field: which other field has to be what for it to be there at all."""


def filled(kind: str, plain: Mapping[str, Any]) -> Plain:
    """`plain`, an object of `kind` as `config.encode` makes it, with its defaults; of weft's own kinds as it is."""
    return dict(plain) if API_VERSIONS[kind] == OWN_VERSION else _filled(KINDS[kind], plain)


def _filled(struct: type[msgspec.Struct], plain: Mapping[str, Any]) -> Plain:
    found: Plain = {}
    for field in msgspec.structs.fields(struct):
        name = field.encode_name
        if name in plain:
            found[name] = _value(field.type, plain[name])
        elif default := _default(field):
            found[name] = default
    return {name: value for name, value in found.items() if name in plain or _has_place(struct, name, found)}


def _value(kind: Any, value: Any) -> Any:
    inner = _struct_in(kind)
    if inner is None:
        return value
    return [_filled(inner, each) for each in value] if isinstance(value, list) else _filled(inner, value)


def _default(field: msgspec.structs.FieldInfo) -> Any:
    """What is shown of it: a word, a number above zero, true, or a part with some of these in it; else nothing."""
    if isinstance(field.default, str | int):
        return field.default
    return _filled(type(field.default), {}) if isinstance(field.default, msgspec.Struct) else None


def _has_place(struct: type[msgspec.Struct], name: str, found: Plain) -> bool:
    other, values = _ONLY_OF.get((struct.__name__, name), (name, ()))
    return not values or found.get(other) in values


def _struct_in(kind: Any) -> type[msgspec.Struct] | None:
    """The struct that a field holds one or several of."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind
    return next((inner for each in get_args(kind) if (inner := _struct_in(each))), None)
