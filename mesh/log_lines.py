"""Lines of the access log: JSON, or the Common Log Format.

What tells of a plain exchange is turned into lines column by column, a batch at a time: a few calls for hundreds of
lines, each of which costs a tenth of what it would take to make a record of it and format that.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import groupby, repeat
from operator import itemgetter
from typing import Any, Final

import msgspec

from mesh.access_log import REQUEST_ID, About, AccessRecord, Ended, Lines, PlainEnd

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_encode = msgspec.json.Encoder().encode
_encode_lines = msgspec.json.Encoder().encode_lines
_first, _second, _id_of = itemgetter(0), itemgetter(1), itemgetter(REQUEST_ID)
_split = bytes.split


_JSON: Final = [
    b'{"time":', b"", b"", b"", b'","target":"', b"", b'","status":', b"", b"", b"", b',"bytesIn":', b"",
    b',"bytesOut":', b"", b',"requestId":"', b"", b"",
]  # fmt: skip
"""A line in pieces; what is empty differs from line to line."""
_COMMON: Final = [b"", b"", b'] "', b"", b' HTTP/1.1" ', b"", b" ", b"", b"", b"", b' "', b"", b'"\n']


def json_lines(ended: Sequence[Ended], wall: float) -> bytes:
    """JSON escapes control characters, so a client cannot forge a second line."""
    return _joined(ended, wall, _plain_json, _encode_lines)


def common_lines(ended: Sequence[Ended], wall: float) -> bytes:
    """The Common Log Format, then what that has no place for: reason, endpoint, seconds and request id."""
    return _joined(ended, wall, _plain_common, _common_records)


FORMATS: Mapping[str, Lines] = {"json": json_lines, "common": common_lines}


def _joined(
    ended: Sequence[Ended],
    wall: float,
    plain: Callable[[list[PlainEnd], float], bytes],
    records: Callable[[list[AccessRecord]], bytes],
) -> bytes:
    """Lines of both kinds in order."""
    parts = []
    for kind, run in groupby(ended, type):
        some: list[Any] = list(run)
        parts.append(plain(some, wall) if kind is tuple else records(some))
    return b"".join(parts)


def _plain_json(ended: list[PlainEnd], wall: float) -> bytes:
    started, seconds, heads, taken, statuses, given, states, abouts = zip(*ended, strict=True)
    count, width = len(ended), len(_JSON)
    times = [wall + at for at in started]
    numbers = _encode([*times, *statuses, *seconds, *taken, *given])[1:-1].split(b",")
    requests = [*map(_split, heads, repeat(b" "), repeat(2))]
    around = [about.json or _json_around(about) for about in abouts]
    endpoints = {state: f',"endpoint":"{state.name}","seconds":'.encode() for state in set(states)}
    line = _JSON * count
    line[1::width] = numbers[:count]
    line[2::width] = map(_first, around)
    line[3::width] = map(_first, requests)
    line[5::width] = _escaped([*map(_second, requests)])
    line[7::width] = numbers[count : 2 * count]
    line[8::width] = map(endpoints.__getitem__, states)
    line[9::width] = numbers[2 * count : 3 * count]
    line[11::width] = numbers[3 * count : 4 * count]
    line[13::width] = numbers[4 * count :]
    line[15::width] = map(_id_of, heads)
    line[16::width] = map(_second, around)
    return b"".join(line)


def _json_around(about: About) -> tuple[bytes, bytes]:
    """What comes before the method, and what after the id."""
    told = _encode(
        {
            "client": about.client, "listener": about.listener, "namespace": about.backend.namespace,
            "service": about.backend.service, "port": about.backend.port, "method": "",
        }
    )  # fmt: skip
    about.json = b"," + told[1:-2], b'","host":"%b"}\n' % about.host
    return about.json


def _escaped(targets: list[bytes]) -> list[bytes]:
    """Targets as they stand between quotes; a valid one is printable ASCII."""
    together = b"".join(targets)
    if b'"' in together or b"\\" in together:
        return [target.replace(b"\\", b"\\\\").replace(b'"', b'\\"') for target in targets]
    return targets


def _plain_common(ended: list[PlainEnd], wall: float) -> bytes:
    started, seconds, heads, _, statuses, given, states, abouts = zip(*ended, strict=True)
    width = len(_COMMON)
    requests = [*map(_split, heads, repeat(b" HTTP/1.1\r\n"), repeat(1))]
    endpoints = {state: f" - {state.name} ".encode() for state in set(states)}
    line = _COMMON * len(ended)
    line[0::width] = [about.client.encode() + b" - - [" for about in abouts]
    line[1::width] = [_moment(int(wall + at)).encode() for at in started]
    line[3::width] = _escaped([*map(_first, requests)])
    line[5::width] = [b"%d" % status for status in statuses]
    line[7::width] = [b"%d" % size for size in given]
    line[8::width] = map(endpoints.__getitem__, states)
    line[9::width] = [b"%.6f" % took for took in seconds]
    line[11::width] = map(_id_of, heads)
    return b"".join(line)


def _common_records(records: list[AccessRecord]) -> bytes:
    return b"".join(map(_common_line, records))


def _common_line(record: AccessRecord) -> bytes:
    """In the Common Log Format, then what that has no place for: reason, endpoint, seconds and request id.

    What is not known is ``-``.  A request's target is printable ASCII without spaces, or it was refused.
    """
    request: str = "-" if record.protocol == "http" else record.protocol
    if record.method:
        request = f"{record.method} {record.target} HTTP/1.{record.minor}"
    parts = [
        f"{record.client} - - [{_moment(int(record.time))}]",
        _quoted(request),
        str(record.status or "-"),
        str(record.bytes_out),
        record.reason or "-",
        record.endpoint or "-",
        f"{record.seconds:.6f}",
        _quoted(record.request_id or "-"),
    ]
    return " ".join(parts).encode("ascii", "backslashreplace") + b"\n"


@lru_cache(maxsize=4)
def _moment(second: int) -> str:
    """``10/Oct/2000:13:55:36 +0000``, whatever the locale; many lines share a second."""
    at = time.gmtime(second)
    return f"{at.tm_mday:02}/{_MONTHS[at.tm_mon - 1]}/{at.tm_year}:{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} +0000"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"' if escaped.isprintable() else f'"{escaped.encode("unicode_escape").decode("ascii")}"'
