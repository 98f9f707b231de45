"""Shorthands for tests of the reading side: a text in, objects and faults out."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

from config.configset import ConfigSet, Loaded
from config.decode import decode
from config.documents import parse
from config.errors import FaultList
from config.loader import load_text
from config.walk import Notices, Walk

FILE = "file.yaml"


def read(text: str, strict: bool = True) -> Loaded:
    return load_text(dedent(text), FILE, strict)


def decoded(kind: str, text: str, strict: bool = True) -> tuple[Any, Loaded]:
    """The object alone, or None, before defaults and validation; and what was found on the way."""
    faults = FaultList()
    notices: Notices = {}
    (document,) = parse(dedent(text), FILE, faults)
    item = decode(kind, document.root, Walk(document, faults, notices, strict))
    return item, Loaded(ConfigSet(), (*faults.all(), *notices.values()))


def lines(loaded: Loaded, *severities: str) -> list[str]:
    """``LINE:COLUMN PATH: message`` of the faults of these severities; of errors if none is given."""
    wanted = severities or ("error",)
    return [
        f"{fault.source.line}:{fault.source.column} {fault.path}: {fault.message}"
        for fault in loaded.faults
        if fault.severity in wanted
    ]
