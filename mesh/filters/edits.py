"""Edits of field lines (HTTPRoute's header modifiers): first remove, then set, then add.

What is written was checked when the edits were made: no name or value can end a line or begin another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from config.filters import HeaderEdits

_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_NOTHING = re.compile(rb"\n(?!)")


def field_line(name: str, value: str) -> bytes:
    """``name: value`` and CRLF.  Raises ValueError where that would be no field line, or more than one."""
    name_, value_ = name.encode("latin-1"), value.encode("latin-1")
    if not _NAME.fullmatch(name_) or not _VALUE.fullmatch(value_):
        raise ValueError(f"no header field can be made of {name!r} and {value!r}")
    return b"%b: %b\r\n" % (name_, value_)


def lines_named(names: Iterable[str]) -> re.Pattern[bytes]:
    """Expression for all field lines of `names`, in any case, in a head that begins with its start line.

    Each is found from the end of the line before to its own: an expression that begins with one byte looks only where
    there is one, which costs a fraction of looking everywhere.  Raises ValueError for what is no field's name.
    """
    encoded = [name.encode("latin-1") for name in names]
    if not all(_NAME.fullmatch(name) for name in encoded):
        raise ValueError(f"no header field is called {' or '.join(map(repr, encoded))}")
    alternatives = b"|".join(map(re.escape, encoded))
    return re.compile(rb"\n(?i:%b):[^\n]*(?=\n)" % alternatives) if alternatives else _NOTHING


class Field:
    """Finds the value of the first field of one name in a head that begins with its start line."""

    __slots__ = ("_search",)

    def __init__(self, name: str) -> None:
        self._search = re.compile(rb"\n(?i:%b):([^\r\n]*)" % re.escape(name.encode())).search

    def __call__(self, lines: bytes) -> bytes | None:
        """Its value without the white space around it; None: there is no such field."""
        found = self._search(lines)
        return found[1].strip(b" \t") if found else None


class Edits:
    """Edits the lines of a head: start line and field lines, each ended by CRLF."""

    __slots__ = ("_added", "_removed")

    def __init__(self, edits: HeaderEdits) -> None:
        """Raises ValueError."""
        self._removed = lines_named(dict.fromkeys((*edits.remove, *edits.set)))
        self._added = b"".join(field_line(*pair) for pair in (*edits.set.items(), *edits.add.items()))

    def __call__(self, lines: bytes) -> bytes:
        return self._removed.sub(b"", lines) + self._added
