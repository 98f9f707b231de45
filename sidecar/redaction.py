"""Objects as the admin API shows them: in manifest form, without anything that may be a secret.

Secrets keep their keys and lose their values; so do the plain values of a container's environment and of the
headers that its probes send, where passwords are often written.  Annotations of both kinds go altogether, since
``kubectl apply`` puts a copy of the whole object there.
"""

from __future__ import annotations

from typing import Any

import msgspec

from config.resources.core import Secret
from config.resources.workloads import Deployment

HIDDEN = "(hidden)"
_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


def shown(item: Any) -> dict[str, Any]:
    """`item`, a manifest object, as plain data."""
    plain: dict[str, Any] = msgspec.to_builtins(item)
    if isinstance(item, Secret | Deployment):
        plain["metadata"].pop("annotations", None)
    if isinstance(item, Secret):
        for table in ("data", "stringData"):
            if table in plain:
                plain[table] = dict.fromkeys(plain[table], HIDDEN)
    elif isinstance(item, Deployment):
        for container in plain["spec"]["template"]["spec"]["containers"]:
            _hide_values(container)
    return plain


def _hide_values(container: dict[str, Any]) -> None:
    named = list(container.get("env", ()))
    for probe in _PROBES:
        named += container.get(probe, {}).get("httpGet", {}).get("httpHeaders", ())
    for item in named:
        if "value" in item:
            item["value"] = HIDDEN
