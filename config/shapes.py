"""One decoder per shape of value: text, numbers, choices, lists, maps, records.

A shape turns a node into a value of its type, or reports to the walk what is wrong and returns INVALID; the walk
goes on, so that all faults of an object are found.  What contains an invalid value is made without it: a field
keeps its default, and what must be there (a required field, an item, an entry) becomes the shape's `blank`, so that
the rest can be looked at.  Shapes are made once per type (`config.decode`) and are immutable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from config.documents import PLAIN
from config.scalars import Scalar
from config.walk import STRING_TAG, Walk, describe, is_null, is_text, key_text, scalar, shorten

_SMALLEST, _LARGEST = -(2**31), 2**31 - 1
"""Bounds from here on stand for having none."""

INVALID: Final = object()
"""In place of a value that could not be decoded; the fault is reported."""


class Shape(Protocol):
    @property
    def blank(self) -> Any:
        """A value of this shape that says nothing."""

    def decode(self, node: Node, walk: Walk) -> Any: ...


class Text:
    """Text; a number or a boolean must be quoted to be one, as for kubectl."""

    __slots__ = ("_hint", "confidential")

    blank = ""

    def __init__(self, confidential: bool = False, hint: str = "") -> None:
        """`hint`: what else is to be done about something that is no text."""
        self._hint = hint
        self.confidential = confidential
        """It is not quoted in faults."""

    def decode(self, node: Node, walk: Walk) -> Any:
        if isinstance(node, ScalarNode) and is_text(node):
            return node.value
        value = _scalar(node, walk, "text")
        if value is INVALID or isinstance(value, str):
            return value
        kind = "a boolean" if isinstance(value, bool) else "a number"
        shown = f"{kind}; quote it" if self.confidential else f'{describe(node)}; quote it: "{shorten(node.value)}"'
        walk.error(node, f"expected text, got {shown}{self._hint}")
        return INVALID


class Quantity:
    """A quantity as text; a number stands for its text, as in Kubernetes."""

    __slots__ = ("_check",)

    blank = ""

    def __init__(self, check: Callable[[str], object]) -> None:
        self._check = check

    def decode(self, node: Node, walk: Walk) -> Any:
        value = _scalar(node, walk, "a quantity")
        if value is INVALID:
            return INVALID
        if isinstance(value, bool):
            walk.error(node, f"expected a quantity, got {describe(node)}")
            return INVALID
        text = value if isinstance(value, str) else str(value) if isinstance(value, int) else node.value
        return text if checked(self._check, text, node, walk) is not INVALID else INVALID


class Duration:
    """Seconds, from text such as ``1m30s``."""

    __slots__ = ("_parse",)

    blank = 0.0

    def __init__(self, parse: Callable[[str], float]) -> None:
        self._parse = parse

    def decode(self, node: Node, walk: Walk) -> Any:
        value = _scalar(node, walk, "a duration")
        if value is INVALID:
            return INVALID
        if isinstance(value, str) or value == 0:
            return checked(self._parse, str(value), node, walk)
        unit = f"; write its unit: {shorten(node.value)}s" if type(value) in (int, float) else ""
        walk.error(node, f"expected a duration, got {describe(node)}{unit}")
        return INVALID


class Number:
    """A number between two bounds; integers may be written as 1.0, as kubectl allows."""

    __slots__ = ("_high", "_low", "_whole")

    blank = 0

    def __init__(self, whole: bool, low: float, high: float) -> None:
        self._whole = whole
        self._low = low
        self._high = high

    def decode(self, node: Node, walk: Walk) -> Any:
        expected = "a whole number" if self._whole else "a number"
        value = _scalar(node, walk, expected)
        if value is INVALID:
            return INVALID
        if isinstance(value, float) and self._whole and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int if self._whole else int | float):
            walk.error(node, f"expected {expected}, got {describe(node)}{_unquote(value)}")
            return INVALID
        if not self._low <= value <= self._high:
            walk.error(node, f"{shorten(node.value)} is out of range: must be {self._range(value)}")
            return INVALID
        return value if self._whole else float(value)

    def _range(self, value: float) -> str:
        """Both bounds if both are meant; else the one that `value` is beyond."""
        if self._low > _SMALLEST and self._high < _LARGEST:
            return f"between {self._low} and {self._high}"
        return f"at least {self._low}" if value < self._low else f"at most {self._high}"


class Boolean:
    __slots__ = ()

    blank = False

    def decode(self, node: Node, walk: Walk) -> Any:
        value = _scalar(node, walk, "true or false")
        if value is INVALID:
            return INVALID
        if not isinstance(value, bool):
            hint = "; remove the quotes" if value in ("true", "false") else ""
            walk.error(node, f"expected true or false, got {describe(node)}{hint}")
            return INVALID
        return value


class NumberOrText:
    """Kubernetes' IntOrString: a plain number is a number, all else is text."""

    __slots__ = ()

    blank = 0

    def decode(self, node: Node, walk: Walk) -> Any:
        value = _scalar(node, walk, "a number or text")
        if value is INVALID:
            return INVALID
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, str) or (type(value) is int and abs(value) < 2**31):
            return value
        walk.error(node, f"expected a whole number or text, got {describe(node)}")
        return INVALID


class Choice:
    """One of a few words."""

    __slots__ = ("_words", "blank")

    def __init__(self, words: tuple[str, ...]) -> None:
        self._words = words
        self.blank = words[0]

    def decode(self, node: Node, walk: Walk) -> Any:
        value = _scalar(node, walk, "text")
        if value is INVALID:
            return INVALID
        # kubectl would read a plain 503 as a number; as one of these words it can only mean itself.
        text = node.value if type(value) is int else value
        if text in self._words:
            return text
        words = ", ".join(self._words)
        walk.error(node, f"{describe(node)} is not one of {words}{walk.suggestion(str(node.value), self._words)}")
        return INVALID


class Items:
    """A list, as a tuple."""

    __slots__ = ("_item",)

    blank = ()

    def __init__(self, item: Shape) -> None:
        self._item = item

    def decode(self, node: Node, walk: Walk) -> Any:
        if not isinstance(node, SequenceNode):
            walk.error(node, f"expected a list, got {describe(node)}{_as_list(node)}")
            return INVALID
        values = []
        decode, path = self._item.decode, walk.path
        path.append(0)
        for index, item in enumerate(node.value):
            path[-1] = index
            values.append(decode(item, walk))
        path.pop()
        return tuple(self._item.blank if value is INVALID else value for value in values)


class Map:
    """A mapping from text to values of one shape."""

    __slots__ = ("_null", "_value")

    def __init__(self, value: Shape) -> None:
        self._value = value
        self._null: object = "" if isinstance(value, Text) else INVALID
        """Kubernetes reads a key without a value as empty text."""

    @property
    def blank(self) -> dict[str, Any]:
        return {}

    def decode(self, node: Node, walk: Walk) -> Any:
        if not isinstance(node, MappingNode):
            secret = isinstance(self._value, Text) and self._value.confidential and isinstance(node, ScalarNode)
            walk.error(node, f"expected a mapping, got {'a single value' if secret else describe(node)}")
            return INVALID
        values: dict[str, Any] = {}
        path = walk.path
        path.append("")
        for key, item in walk.entries(node):
            path[-1] = name = key_text(key) if key.tag is PLAIN else key.value
            if is_null(item) and self._null is not INVALID:
                values[name] = self._null
            else:
                values[name] = self._value.decode(item, walk)
        path.pop()
        if INVALID in values.values():
            return {name: self._value.blank if value is INVALID else value for name, value in values.items()}
        return values


class Field:
    """A field of a record that Weft acts on."""

    __slots__ = ("attribute", "required", "shape")

    def __init__(self, attribute: str, shape: Shape, required: bool) -> None:
        self.attribute = attribute
        self.shape = shape
        self.required = required


class Record:
    """A mapping with known fields, as a frozen struct.

    `fields` are used; `others` says what is to be done about a field that is not among them.
    """

    __slots__ = ("_fields", "_make", "_others", "_required")

    def __init__(self, make: Callable[..., Any], fields: Mapping[str, Field], others: Others) -> None:
        self._make = make
        self._fields = fields
        self._others = others
        self._required = tuple((name, field.attribute) for name, field in fields.items() if field.required)

    def decode(self, node: Node, walk: Walk) -> Any:
        if not isinstance(node, MappingNode):
            walk.error(node, f"expected a mapping, got {describe(node)}")
            return INVALID
        values: dict[str, Any] = {}
        fields, path = self._fields, walk.path
        for key, item in walk.entries(node):
            name = key.value
            field = fields.get(name)
            if field is None:
                self._others.meet(name, key, item, walk, fields)
            elif not is_null(item):
                path.append(name)
                values[field.attribute] = field.shape.decode(item, walk)
                path.pop()
        missing = [name for name, attribute in self._required if attribute not in values]
        for name in missing:
            walk.error(node, "required field is missing", name)
        return self._partial(values) if missing or INVALID in values.values() else self._make(**values)

    @property
    def blank(self) -> Any:
        return self._partial({})

    def _partial(self, values: Mapping[str, Any]) -> Any:
        required = {attribute: self._fields[name].shape.blank for name, attribute in self._required}
        return self._make(**required | {name: value for name, value in values.items() if value is not INVALID})


class Others(Protocol):
    """What to do about fields that a record does not use."""

    def meet(self, name: str, key: Node, value: Node, walk: Walk, used: Mapping[str, Field]) -> None: ...


def checked(check: Callable[[str], Any], text: str, node: Node, walk: Walk) -> Any:
    """What `check` returns for `text`; its ValueError becomes a fault."""
    try:
        return check(text)
    except ValueError as error:
        walk.error(node, str(error))
        return INVALID


def _scalar(node: Node, walk: Walk, expected: str) -> Scalar | object:
    """The value of a scalar that is not null, else INVALID."""
    if not isinstance(node, ScalarNode):
        walk.error(node, f"expected {expected}, got {describe(node)}")
        return INVALID
    if node.tag is not None and node.tag not in _KNOWN_TAGS:
        walk.error(node, f"the tag {shorten(node.tag)} is not supported here")
        return INVALID
    value = scalar(node)
    if value is None:
        walk.error(node, f"expected {expected}, got {describe(node)}")
        return INVALID
    return value


_KNOWN_TAGS = {PLAIN, STRING_TAG, *(f"tag:yaml.org,2002:{name}" for name in ("bool", "int", "float", "timestamp"))}


def _unquote(value: object) -> str:
    return "; remove the quotes" if isinstance(value, str) and value.isdecimal() else ""


def _as_list(node: Node) -> str:
    if isinstance(node, ScalarNode) and len(node.value) < 30 and not set(node.value) & set("\n'\"[]{}#"):
        return f"; write [{', '.join(node.value.replace(',', ' ').split())}]"
    return "; begin it with '- '" if isinstance(node, MappingNode) else ""
