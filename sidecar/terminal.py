"""Colours where a person looks on, plain text where a program reads (https://no-color.org)."""

from __future__ import annotations

import os
from typing import TextIO

CODES = {"green": 32, "yellow": 33, "red": 31, "dim": 2, "bold": 1}


class Painter:
    """Paints text for one stream, or leaves it as it is."""

    def __init__(self, stream: TextIO) -> None:
        self.colours = stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"

    def __call__(self, colour: str, text: str) -> str:
        return f"\x1b[{CODES[colour]}m{text}\x1b[0m" if self.colours else text


def printable(text: str) -> str:
    """Nobody's text steers the terminal: what is not printable is escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
