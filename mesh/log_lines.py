"""Lines of the access log: JSON, or the Common Log Format.

What tells of a plain exchange is turned into lines a batch at a time, and what many lines share is encoded once: each
costs a fraction of what it would take to make a record of it and format that.
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
from mesh.endpoint_state import EndpointState

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_encode = msgspec.json.Encoder().encode
_encode_lines = msgspec.json.Encoder().encode_lines
_first, _id_of = itemgetter(0), itemgetter(REQUEST_ID)
_split = bytes.split

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


class _Line(msgspec.Struct, gc=False, rename="camel"):
    """A line; `client` is all up to the method, and the host, as JSON."""

    time: float
    client: msgspec.Raw
    method: str
    target: str
    status: int
    endpoint: msgspec.Raw
    seconds: float
    bytes_in: int
    bytes_out: int
    request_id: str


def _plain_json(ended: list[PlainEnd], wall: float) -> bytes:
    endpoints: dict[EndpointState, msgspec.Raw] = {}
    lines: list[_Line] = []
    add = lines.append
    for started, seconds, head, taken, status, given, state, about in ended:
        method, target, rest = head.decode("latin-1").split(" ", 2)
        client = about.json or _json_of(about)
        endpoint = endpoints.get(state)
        if endpoint is None:
            endpoint = endpoints[state] = msgspec.Raw(_encode(state.name))
        request_id = rest[REQUEST_ID]
        add(_Line(wall + started, client, method, target, status, endpoint, seconds, taken, given, request_id))
    return _encode_lines(lines)


def _json_of(about: About) -> msgspec.Raw:
    """What stands for `client`."""
    told = {
        "client": about.client, "listener": about.listener, "namespace": about.backend.namespace,
        "service": about.backend.service, "port": about.backend.port, "host": about.host.decode("ascii"),
    }  # fmt: skip
    about.json = msgspec.Raw(_encode(told)[len(b'{"client":') : -1])
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
