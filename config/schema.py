"""JSON Schema (draft 7, which editors understand) of all kinds that are read, made from the types that decode them.

As in `config.decode`, each field is used (the type has it), known to Kubernetes and unused here (allowed), or unknown
to both: not allowed.  What a schema cannot say, such as that two fields exclude each other, only validation knows.
"""

from __future__ import annotations

import ast
import inspect as python
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from typing import Any

import msgspec
from msgspec import inspect

from config.configset import API_VERSIONS, KINDS, OWN_VERSION
from config.meta import ObjectMeta
from config.vocabulary import OBJECT_META, vocabulary

Schema = dict[str, Any]

DIALECT = "http://json-schema.org/draft-07/schema#"
DURATION = r"^\+?(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$|^[-+]?0$"
QUANTITY = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$"


def schema(kinds: tuple[str, ...] = tuple(KINDS)) -> Schema:
    """Of a document that holds an object of one of `kinds`, or a List; objects of other kinds are let pass."""
    made = _Definitions()
    roots = {kind: made.kind(kind) for kind in kinds}
    return {
        "$schema": DIALECT,
        "title": "Kubernetes and weft.dev/v1 objects as Weft reads them",
        "type": "object",
        "required": ["apiVersion", "kind"],
        "properties": {"apiVersion": {"type": "string"}, "kind": {"type": "string"}},
        "allOf": [
            *({"if": _is(kind), "then": root} for kind, root in roots.items()),
            {"if": _own(), "then": {"properties": {"kind": {"enum": _own_kinds()}}}},
            {"if": _is("List", "v1"), "then": {"properties": {"items": {"type": "array", "items": {"$ref": "#"}}}}},
        ],
        "definitions": made.definitions,
    }


def _is(kind: str, version: str = "") -> Schema:
    constants = {"apiVersion": {"const": version or API_VERSIONS[kind]}, "kind": {"const": kind}}
    return {"properties": constants, "required": ["apiVersion", "kind"]}


def _own() -> Schema:
    return {"properties": {"apiVersion": {"const": OWN_VERSION}}, "required": ["apiVersion"]}


def _own_kinds() -> list[str]:
    return [kind for kind, version in API_VERSIONS.items() if version == OWN_VERSION]


class _Definitions:
    """Schemas of structs and of Kubernetes' types, each once, by name."""

    def __init__(self) -> None:
        self.definitions: dict[str, Schema] = {}

    def kind(self, kind: str) -> Schema:
        return self._record(KINDS[kind], vocabulary().roots.get(kind, ""))

    def _record(self, struct: type[msgspec.Struct], type_name: str) -> Schema:
        """A reference to the schema of a struct, beside the type of the vocabulary that it is a part of."""
        name = f"{struct.__name__}-{type_name}" if type_name else struct.__name__
        if name not in self.definitions:
            self.definitions[name] = {}
            self.definitions[name] = self._object(struct, type_name)
        return _ref(name)

    def _object(self, struct: type[msgspec.Struct], type_name: str) -> Schema:
        known = vocabulary().types.get(type_name, {})
        properties: dict[str, Schema] = {name: self._known(shape) for name, shape in known.items()}
        if struct in KINDS.values():
            properties |= {"apiVersion": {}, "kind": {}, "status": {}}
        told = _told(struct)
        for field in msgspec.structs.fields(struct):
            nested = OBJECT_META if field.type is ObjectMeta else known.get(field.encode_name, "").lstrip("[]{}")
            said = self._shape(inspect.type_info(field.type), nested)
            if field.name in told:
                said = {"allOf": [said]} if "$ref" in said else said
                said = {**said, "description": told[field.name]}
            properties[field.encode_name] = _or_null(said) if not field.required else said
        made: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
        required = [field.encode_name for field in msgspec.structs.fields(struct) if field.required]
        return made | ({"required": required} if required else {})

    def _shape(self, info: inspect.Type, type_name: str) -> Schema:  # noqa: PLR0911 - a table of types, one line each
        match info:
            case inspect.Metadata(type=inner, extra=extra):
                return _formatted(str((extra or {}).get("format"))) or self._shape(inner, type_name)
            case inspect.UnionType(types=types):
                return self._union([each for each in types if not isinstance(each, inspect.NoneType)], type_name)
            case inspect.StructType(cls=struct):
                return self._record(struct, type_name)
            case inspect.VarTupleType(item_type=item):
                return {"type": "array", "items": self._shape(item, type_name)}
            case inspect.DictType(value_type=value):
                return {"type": "object", "additionalProperties": _or_null(self._shape(value, type_name))}
            case inspect.LiteralType(values=values):
                return {"enum": [str(value) for value in values] + _numbers(values)}
            case inspect.IntType(ge=low, le=high):
                return _bounded("integer", low, high)
            case inspect.FloatType(ge=low, le=high):
                return _bounded("number", low, high)
            case inspect.BoolType():
                return {"type": "boolean"}
            case inspect.StrType():
                return {"type": "string"}
        raise TypeError(f"no schema for {info}")

    def _union(self, types: list[inspect.Type], type_name: str) -> Schema:
        return self._shape(types[0], type_name) if len(types) == 1 else {"type": ["integer", "string"]}

    def _known(self, shape: str) -> Schema:
        """Of a field of Kubernetes that is not used here."""
        if shape.startswith("[]"):
            return _or_null({"type": "array", "items": self._known(shape[2:])})
        if shape.startswith("{}"):
            return _or_null({"type": "object", "additionalProperties": self._known(shape[2:])})
        if shape in _LOOSE:
            return _LOOSE[shape]
        if shape not in self.definitions:
            self.definitions[shape] = {}
            fields = {name: self._known(inner) for name, inner in vocabulary().types[shape].items()}
            self.definitions[shape] = {"type": "object", "properties": fields, "additionalProperties": False}
        return _or_null(_ref(shape))


_LOOSE: Mapping[str, Schema] = {
    "any": {},
    "text": {"type": ["string", "number", "boolean", "null"]},
    "number": {"type": ["number", "string", "null"]},
    "boolean": {"type": ["boolean", "string", "null"]},
}
"""What is not used is looked at as loosely as validation does: a single value in place of another is let pass."""


def _ref(name: str) -> Schema:
    return {"$ref": f"#/definitions/{name}"}


def _or_null(said: Schema) -> Schema:
    """A field without a value says nothing, and has its default."""
    kind = said.get("type")
    if isinstance(kind, str):
        return {**said, "type": [kind, "null"]}
    if "enum" in said:
        return {**said, "enum": [*said["enum"], None]}
    if isinstance(kind, list) or not said:
        return {**said, "type": [*kind, "null"]} if kind else said
    description = {"description": said["description"]} if "description" in said else {}
    return {**description, "anyOf": [{key: value for key, value in said.items() if key != "description"}, _NULL]}


_NULL: Schema = {"type": "null"}


def _bounded(kind: str, low: float | None, high: float | None) -> Schema:
    made: Schema = {"type": kind}
    if low is not None:
        made["minimum"] = low
    if high is not None:
        made["maximum"] = high
    return made


def _numbers(words: tuple[Any, ...]) -> list[int]:
    """A word that is a number may be written as one."""
    return [int(word) for word in map(str, words) if word.isdecimal()]


def _formatted(name: str) -> Schema | None:
    made: dict[str, Schema] = {
        "confidential": {"type": "string"},
        "duration": {"type": ["string", "integer"], "pattern": DURATION, "minimum": 0, "maximum": 0},
        "quantity": {"type": ["string", "number"], "pattern": QUANTITY},
    }
    return made.get(name)


@cache
def _told(struct: type[msgspec.Struct]) -> Mapping[str, str]:
    """Attribute to the text below it in the source, for the types that say something there."""
    try:
        tree = ast.parse(python.getsource(struct))
    except (OSError, TypeError):
        return {}
    return dict(_texts(tree))


def _texts(tree: ast.Module) -> Iterator[tuple[str, str]]:
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    for field, text in pairwise(body):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(said))):
                yield name, " ".join(said.split())
