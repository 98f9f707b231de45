"""Request targets and hosts (RFC 9112 section 3.2, RFC 3986 section 3.2.2)."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address

from mesh.http1.errors import Malformed
from mesh.reasons import BAD_REQUEST, NOT_IMPLEMENTED, TARGET_TOO_LONG

MAX_TARGET = 16_384

_HOST = re.compile(
    rb"(?:(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2}){1,255}"
    rb"|\[([0-9A-Fa-f:.]{2,45})\]"
    rb"|\[[vV][0-9A-Fa-f]{1,4}\.[A-Za-z0-9\-._~!$&'()*+,;=:]{1,64}\])(?::([0-9]{0,5}))?"
)
_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?]*)([!-~]*)")


def valid_host(value: bytes) -> bool:
    """Whether `value` is a host with or without a port; an empty host names nobody and is none."""
    match = _HOST.fullmatch(value)
    if not match:
        return False
    if match[2] and int(match[2]) > 65_535:
        return False
    if match[1] is not None:
        try:
            IPv6Address(match[1].decode())
        except AddressValueError:
            return False
    return True


def read_target(method: bytes, target: bytes) -> tuple[bytes, bytes]:
    """The target as it is sent on, and the host it names itself (empty: none).  Raises `Malformed`."""
    if len(target) > MAX_TARGET:
        raise Malformed(TARGET_TOO_LONG)
    if method == b"CONNECT":
        raise Malformed(NOT_IMPLEMENTED, "CONNECT is not implemented")
    if b"#" in target:
        raise Malformed(BAD_REQUEST, "a fragment in the request target")
    if target[:1] == b"/":
        return target, b""
    if target == b"*":
        if method != b"OPTIONS":
            raise Malformed(BAD_REQUEST, "the request target * is for OPTIONS only")
        return target, b""
    return _read_absolute(method, target)


def _read_absolute(method: bytes, target: bytes) -> tuple[bytes, bytes]:
    match = _ABSOLUTE.fullmatch(target)
    if not match:
        raise Malformed(BAD_REQUEST, "a request target that is neither a path nor an http URI")
    host, path = match[1], match[2]
    if not valid_host(host):
        raise Malformed(BAD_REQUEST, "a request target whose host is none")
    if not path:
        return (b"*" if method == b"OPTIONS" else b"/"), host
    return (path if path[:1] == b"/" else b"/" + path), host
