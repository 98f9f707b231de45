"""Nodes to objects: the frozen types of the kinds, turned into shapes once, and Kubernetes' vocabulary beside them.

Each field of an object is *used* (the type has it), *known* to Kubernetes and unused here (`config.unused` says
what that means), or *unknown*: an error in a file, nothing in the answer of an API server, which may be newer
than we are.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import Meta
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from config.configset import KINDS
from config.durations import parse_duration
from config.meta import ObjectMeta
from config.quantity import parse_quantity
from config.shapes import (
    Boolean,
    Choice,
    Duration,
    Field,
    Items,
    Map,
    Number,
    NumberOrText,
    Quantity,
    Record,
    Shape,
    Text,
)
from config.unused import effect, is_silent
from config.vocabulary import OBJECT_META, vocabulary
from config.walk import Walk, describe, is_null

_ROOT_FIELDS = frozenset({"apiVersion", "kind"})
_SCALARS = frozenset({"text", "number", "boolean"})
_CONTAINERS: Mapping[str, tuple[type[Node], str]] = {"[]": (SequenceNode, "a list"), "{}": (MappingNode, "a mapping")}
_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1


def decode(kind: str, root: Node, walk: Walk) -> Any:
    """The object of `kind` that `root`, a mapping, describes; all that is wrong is told to `walk`.

    Fields that could not be read have their defaults, or something neutral where there is none; `walk` knows them.
    """
    return _record(KINDS[kind], vocabulary().roots.get(kind, "")).decode(root, walk)


@cache
def _record(struct: type[msgspec.Struct], type_name: str) -> Record:
    """The shape of a struct type, beside the type of the vocabulary that it is a part of."""
    known = dict(vocabulary().types.get(type_name, {}))
    if struct in KINDS.values():
        known.update(dict.fromkeys(_ROOT_FIELDS, "any"))
    fields = {}
    for field in msgspec.structs.fields(struct):
        shape = _shape(field.type, _nested(field, known))
        fields[field.encode_name] = Field(field.name, shape, field.required)
    return Record(struct, fields, _Unused(type_name, known))


def _nested(field: msgspec.structs.FieldInfo, known: Mapping[str, str]) -> str:
    """The vocabulary's type of what a field holds; metadata is the same for all kinds, ours included."""
    return OBJECT_META if field.type is ObjectMeta else known.get(field.encode_name, "").lstrip("[]{}")


def _shape(kind: Any, type_name: str, meta: Meta = Meta()) -> Shape:  # noqa: B008, PLR0911 - a table of types
    """Of a field's type as it is written.  `msgspec.inspect` would go through all types beneath, for each of them."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _formatted(arguments[1]) or _shape(arguments[0], type_name, arguments[1])
    if origin in (Union, UnionType):
        return _union([each for each in arguments if each is not NoneType], type_name)
    if origin is tuple:
        return Items(_shape(arguments[0], type_name))
    if origin in (dict, Mapping):
        return Map(_shape(arguments[1], type_name))
    if origin is Literal:
        return Choice(tuple(sorted(arguments)))
    if issubclass(kind, msgspec.Struct):
        return _record(kind, type_name)
    if kind in (int, float):
        low, high = _INT64_MIN if meta.ge is None else meta.ge, _INT64_MAX if meta.le is None else meta.le
        return Number(kind is int, low, high)
    return Boolean() if kind is bool else Text()


def _formatted(meta: Meta) -> Shape | None:
    """The shape of types that say ``format`` in their Meta."""
    shapes: dict[str, Shape] = {
        "confidential": Text(confidential=True),
        "host-port": Text(hint=', and write HOST:PORT, such as "127.0.0.1:8080"'),
        "duration": Duration(parse_duration),
        "quantity": Quantity(parse_quantity),
    }
    return shapes.get((meta.extra or {}).get("format", ""))


def _union(types: list[Any], type_name: str) -> Shape:
    """A type that may also be None, or IntOrString."""
    return _shape(types[0], type_name) if len(types) == 1 else NumberOrText()


class _Unused:
    """Fields of a Kubernetes type that Weft has no use for, and fields that do not exist."""

    __slots__ = ("_known", "_type_name")

    def __init__(self, type_name: str, known: Mapping[str, str]) -> None:
        self._type_name = type_name
        self._known = known

    def meet(self, name: str, key: Node, value: Node, walk: Walk, used: Mapping[str, Field]) -> None:
        if not walk.strict:
            return
        shape = self._known.get(name)
        if shape is None:
            walk.unknown(key, name, (*used, *self._known))
        elif shape != "any":
            walk.path.append(name)
            _check_known(value, shape, walk)
            walk.path.pop()
        if shape and name not in _ROOT_FIELDS and not _says_nothing(self._type_name, name, value):
            walk.ignored(key, name, effect(self._type_name, name))


def _says_nothing(type_name: str, field: str, value: Node) -> bool:
    if is_null(value) or (isinstance(value, CollectionNode) and not value.value):
        return True
    return is_silent(type_name, field, value.value if isinstance(value, ScalarNode) else None)


def _check_known(node: Node, shape: str, walk: Walk) -> None:
    """Look for unknown fields and for lists, mappings and scalars in each other's place in what Weft does not use."""
    if shape == "any" or is_null(node):
        return
    kind, wanted = _CONTAINERS.get(shape[:2], (ScalarNode if shape in _SCALARS else MappingNode, ""))
    if not isinstance(node, kind):
        wanted = wanted or ("a single value" if kind is ScalarNode else "a mapping")
        walk.error(node, f"expected {wanted}, got {describe(node)}")
    elif isinstance(node, SequenceNode):
        walk.path.append(0)
        for index, item in enumerate(node.value):
            walk.path[-1] = index
            _check_known(item, shape[2:], walk)
        walk.path.pop()
    elif isinstance(node, MappingNode):
        _check_mapping(node, shape, walk)


def _check_mapping(node: MappingNode, shape: str, walk: Walk) -> None:
    known = None if shape.startswith("{}") else vocabulary().types[shape]
    for key, value in walk.entries(node):
        name = str(key.value)
        nested = shape[2:] if known is None else known.get(name)
        if nested is None:
            walk.unknown(key, name, tuple(known or ()))
        elif nested not in _SCALARS or isinstance(value, CollectionNode):
            walk.path.append(name)
            _check_known(value, nested, walk)
            walk.path.pop()
