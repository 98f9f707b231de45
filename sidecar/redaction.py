"""Objects as the admin API shows them: in manifest form, without anything that may be a secret.

Secrets keep their keys and lose their values; so do the plain values of a container's environment and of the
headers that its probes send, where passwords are often written, and those of header lines that a TrafficPolicy
writes under names such as Authorization.  Annotations of Secrets and Deployments go altogether, since ``kubectl
apply`` puts a copy of the whole object there.

What is shown instead of a value may be a fingerprint, by which two values can be told apart: a keyed hash, which
says nothing to who has not the key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Any

from config.encode import encode
from config.policies import TrafficPolicy
from config.resources.core import Secret
from config.resources.workloads import Deployment

HIDDEN = "(hidden)"
_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
_TELLING = re.compile(r"(?i)auth|cookie|key|pass|secret|token")
"""In names of header lines whose values are secrets."""

Hide = Callable[[str], str]
"""What is shown instead of a value."""


def hidden(_value: str) -> str:
    return HIDDEN


def fingerprinted(key: bytes) -> Hide:
    """The same for equal values, and with near certainty different for others; `key` has up to 64 bytes.

    Each begins with what tells one key from another, for those of different keys cannot be compared.
    """
    maker = blake2b(key=key, digest_size=2).hexdigest()
    return lambda value: f"(hidden {maker}-{blake2b(value.encode(), key=key, digest_size=6).hexdigest()})"


def maker_of(text: str) -> str:
    """What the first fingerprint in `text` begins with; empty: there is none."""
    found = re.search(r"\(hidden (\w+)-", text)
    return found[1] if found is not None else ""


def hidden_line(line: str) -> str:
    """A header line, its value hidden if its name says that it is a secret."""
    name, colon, _ = line.partition(":")
    return f"{name}: {HIDDEN}" if colon and _TELLING.search(name) else line


def shown(item: Any, hide: Hide = hidden) -> dict[str, Any]:
    """`item`, a manifest object, as plain data."""
    plain: dict[str, Any] = encode(item)
    if isinstance(item, Secret | Deployment):
        plain["metadata"].pop("annotations", None)
    for table, names in _secrets(item, plain):
        for name in names:
            table[name] = hide(table[name])
    return plain


def _secrets(item: Any, plain: dict[str, Any]) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """Mappings that hold secrets, and under which names."""
    if isinstance(item, Secret):
        for name in ("data", "stringData"):
            yield plain.get(name, {}), list(plain.get(name, {}))
    elif isinstance(item, Deployment):
        for container in plain["spec"]["template"]["spec"]["containers"]:
            for named in _named_values(container):
                yield named, ["value"] if "value" in named else []
    elif isinstance(item, TrafficPolicy):
        for edits in plain["spec"].get("headers", {}).values():
            for lines in (edits.get("set", {}), edits.get("add", {})):
                yield lines, [name for name in lines if _TELLING.search(name)]


def _named_values(container: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from container.get("env", ())
    for probe in _PROBES:
        yield from container.get(probe, {}).get("httpGet", {}).get("httpHeaders", ())
