"""The default certificate, which this process makes for itself: for clients that ask for a name nobody has claimed.

As with other ingress controllers such a client gets an answer that it must choose to trust, and then a 404, rather
than a handshake that breaks off.  Python's ssl module can use keys and not make them, so here is what it takes: a
key on the curve P-256 (SEC 1, FIPS 186-5), one ECDSA signature by it, and the DER around them (RFC 5280).  Nobody
trusts this certificate, which is why arithmetic that takes no constant time will do; all handshakes are OpenSSL's.
"""

from __future__ import annotations

import secrets
import ssl
import time
from base64 import encodebytes
from hashlib import sha256
from typing import Final, NamedTuple

from config.meta import Named
from mesh.tls.context import server_context
from mesh.tls.names import Certificate

NAME: Final = "default.weft.invalid"
SECONDS: Final = 365 * 86_400
"""How long it is good for."""

P: Final = 2**256 - 2**224 + 2**192 + 2**96 - 1
N: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
G: Final = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)

_ECDSA_SHA256: Final = bytes.fromhex("06082A8648CE3D040302")
_EC_KEY: Final = bytes.fromhex("06072A8648CE3D0201")
_P256: Final = bytes.fromhex("06082A8648CE3D030107")
_COMMON_NAME: Final = bytes.fromhex("0603550403")
_ALTERNATIVE: Final = bytes.fromhex("0603551D11")
_INTEGER, _BITS, _OCTETS, _UTF8, _SEQUENCE, _SET, _UTC_TIME = 0x02, 0x03, 0x04, 0x0C, 0x30, 0x31, 0x17


class Made(NamedTuple):
    """PEM texts."""

    certificate: bytes
    key: bytes


def default_certificate() -> Certificate:
    """A new one, with a key of its own that is written nowhere."""
    now = time.time()
    made = make(now)
    return Certificate(Named("", ""), (NAME,), now + SECONDS, server_context(*made))


def make(now: float) -> Made:
    """A certificate that is good from an hour before `now`, in seconds since 1970."""
    key = secrets.randbelow(N - 1) + 1
    x, y = multiply(key)
    public = _der(_BITS, b"\0\4" + x.to_bytes(32) + y.to_bytes(32))
    name = _der(_SEQUENCE, _der(_SET, _der(_SEQUENCE, _COMMON_NAME, _der(_UTF8, NAME.encode()))))
    alternative = _der(_SEQUENCE, _der(0x82, NAME.encode()))
    body = _der(
        _SEQUENCE,
        _der(0xA0, _integer(2)),
        _integer(secrets.randbits(120)),
        _der(_SEQUENCE, _ECDSA_SHA256),
        name,
        _der(_SEQUENCE, _time(now - 3600), _time(now + SECONDS)),
        name,
        _der(_SEQUENCE, _der(_SEQUENCE, _EC_KEY, _P256), public),
        _der(0xA3, _der(_SEQUENCE, _der(_SEQUENCE, _ALTERNATIVE, _der(_OCTETS, alternative)))),
    )
    signature = _der(_SEQUENCE, *map(_integer, sign(key, body)))
    whole = _der(_SEQUENCE, body, _der(_SEQUENCE, _ECDSA_SHA256), _der(_BITS, b"\0", signature))
    private = _der(
        _SEQUENCE, _integer(1), _der(_OCTETS, key.to_bytes(32)), _der(0xA0, _P256), _der(0xA1, public)
    )  # RFC 5915
    text = b"-----BEGIN EC PRIVATE KEY-----\n" + encodebytes(private) + b"-----END EC PRIVATE KEY-----\n"
    return Made(ssl.DER_cert_to_PEM_cert(whole).encode(), text)


# -- the curve


def sign(key: int, message: bytes) -> tuple[int, int]:
    """ECDSA with SHA-256."""
    digest = int.from_bytes(sha256(message).digest())
    while True:
        once = secrets.randbelow(N - 1) + 1
        r = multiply(once)[0] % N
        s = pow(once, -1, N) * (digest + r * key) % N
        if r and s:
            return r, s


def multiply(factor: int) -> tuple[int, int]:
    """`factor` times `G`, for 0 < `factor` < N; in Jacobian coordinates, since division is dear."""
    (gx, gy), (x, y, z) = G, (*G, 1)
    for bit in f"{factor:b}"[1:]:
        x, y, z = _double(x, y, z)
        if bit == "1":
            zz = z * z % P
            h, r = (gx * zz - x) % P, (gy * z * zz - y) % P
            hh = h * h % P
            hhh, xhh = h * hh % P, x * hh % P
            x3 = (r * r - hhh - 2 * xhh) % P
            x, y, z = x3, (r * (xhh - x3) - y * hhh) % P, z * h % P
    inverse = pow(z, -1, P)
    return x * inverse**2 % P, y * inverse**3 % P


def _double(x: int, y: int, z: int) -> tuple[int, int, int]:
    zz, yy = z * z % P, y * y % P
    b, a = x * yy % P, 3 * (x - zz) * (x + zz) % P
    x3 = (a * a - 8 * b) % P
    return x3, (a * (4 * b - x3) - 8 * yy * yy) % P, 2 * y * z % P


# -- DER


def _der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + content


def _integer(value: int) -> bytes:
    return _der(_INTEGER, value.to_bytes(value.bit_length() // 8 + 1))


def _time(at: float) -> bytes:
    return _der(_UTC_TIME, time.strftime("%y%m%d%H%M%SZ", time.gmtime(at)).encode())
