"""Log lines on stderr: ``TIME LEVEL LOGGER MESSAGE key=value ...``, or the same as JSON objects.

Code logs with ``extra={...}``; what is given there becomes the fields.  Fields hold names, addresses and
counts, never the values of secrets or of environments.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/,+@%[]()<>#*")


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """What was given as ``extra``."""
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


def timestamp(seconds: float) -> str:
    """RFC 3339 in UTC with milliseconds."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds * 1000) % 1000:03d}Z"


def quoted(value: object) -> str:
    """A field's value, in quotes where it has anything that would end it or the line."""
    text = str(value)
    return text if text and _PLAIN.issuperset(text) else json.dumps(text, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        parts = [timestamp(record.created), f"{record.levelname.lower():7}", record.name, one_line(record.getMessage())]
        parts += [f"{key}={quoted(value)}" for key, value in fields_of(record).items()]
        if record.exc_info:
            parts.append("\n" + self.formatException(record.exc_info))
        return " ".join(parts)


class JSONFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": timestamp(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **fields_of(record),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str, ensure_ascii=False)


def one_line(text: str) -> str:
    """Text from outside must not be able to forge a line of its own."""
    return text.replace("\r", "\\r").replace("\n", "\\n")


def set_up(level: str, form: str) -> None:
    """Send what is logged from `level` on to stderr, in the given form (``text`` or ``json``)."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JSONFormatter() if form == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for chatty in ("aiohttp", "asyncio"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
