"""What ``weft explain`` is asked: a request as a client would make it, taken apart once."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import msgspec

from mesh.table import Transport

SCHEMES: Mapping[str, int] = {"http": 80, "https": 443, "tcp": 0, "udp": 0}
"""With the port that each stands for."""


class BadQuestion(ValueError):
    """The URL, a header or the method cannot be asked about; the message says what to write instead."""


class Question(msgspec.Struct, frozen=True):
    method: str
    scheme: str
    host: str
    """Where the client connects to: a name or an address."""
    port: int
    ported: bool
    """The port was said, and does not follow from the scheme."""
    target: str
    """Path and query, as sent."""
    headers: tuple[tuple[str, str], ...] = ()
    client: str = "127.0.0.1"
    """The address it comes from."""

    @property
    def transport(self) -> Transport:
        return "UDP" if self.scheme == "udp" else "TCP"

    @property
    def authority(self) -> str:
        """The Host field."""
        said = [value for name, value in self.headers if name.lower() == "host"]
        if said:
            return said[0]
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if self.port != SCHEMES[self.scheme] else host

    @property
    def host_name(self) -> str:
        """The Host field without a port: what rules are compared with."""
        host = self.authority
        return host[: host.index("]") + 1] if host.startswith("[") and "]" in host else host.partition(":")[0]

    @property
    def head(self) -> bytes:
        """As it would be sent, for balancers that look into it."""
        lines = [f"{self.method} {self.target} HTTP/1.1", f"Host: {self.authority}"]
        lines += [f"{name}: {value}" for name, value in self.headers if name.lower() != "host"]
        return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")


def parse_question(url: str, method: str = "GET", headers: Sequence[str] = (), client: str = "127.0.0.1") -> Question:
    """Read ``http://HOST[:PORT]/PATH`` and ``Name: value`` texts.  Raises `BadQuestion`."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = (parts.hostname or "").partition("%")[0], parts.port
    except ValueError as fault:
        raise BadQuestion(f"{url}: {fault}") from None
    if parts.scheme not in SCHEMES:
        raise BadQuestion(f"{url}: the scheme must be one of {', '.join(SCHEMES)}")
    if not host:
        raise BadQuestion(f"{url}: no host; write http://HOST:PORT/PATH")
    if port is None and not SCHEMES[parts.scheme]:
        raise BadQuestion(f"{url}: no port; write {parts.scheme}://HOST:PORT")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not (target.isascii() and target.isprintable()) or " " in target:
        raise BadQuestion(f"{url}: a path is written in ASCII without spaces; escape others as %XX")
    if not (method.isascii() and method.isalpha()):
        raise BadQuestion(f"{method!r} is no method")
    return Question(
        method=method,
        scheme=parts.scheme,
        host=host,
        port=SCHEMES[parts.scheme] if port is None else port,
        ported=port is not None,
        target=target,
        headers=tuple(_header(header) for header in headers),
        client=_address(client),
    )


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip() or not text.isprintable():
        raise BadQuestion(f"{text!r}: a header is written 'Name: value'")
    return name.strip(), value.strip()


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise BadQuestion(f"{text!r} is no address of a client") from None
