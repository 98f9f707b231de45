"""Objects as the admin API shows them: in manifest form, without anything that may be a secret.

Secrets keep their keys and lose their values; so do the plain values of a container's environment, where
passwords are often written.  Annotations of Secrets go altogether, since ``kubectl apply`` puts a copy of the
whole object there.
"""

from __future__ import annotations

from typing import Any

import msgspec

from config.resources.core import Secret
from config.resources.workloads import Deployment

HIDDEN = "(hidden)"


def shown(item: Any) -> dict[str, Any]:
    """`item`, a manifest object, as plain data."""
    plain: dict[str, Any] = msgspec.to_builtins(item)
    if isinstance(item, Secret):
        _hide_secret(plain)
    elif isinstance(item, Deployment):
        for container in plain["spec"]["template"]["spec"]["containers"]:
            _hide_environment(container)
    return plain


def _hide_secret(plain: dict[str, Any]) -> None:
    plain["metadata"].pop("annotations", None)
    for table in ("data", "stringData"):
        if table in plain:
            plain[table] = dict.fromkeys(plain[table], HIDDEN)


def _hide_environment(container: dict[str, Any]) -> None:
    for variable in container.get("env", ()):
        if "value" in variable:
            variable["value"] = HIDDEN
