"""The platform `process`: Deployments as processes of this machine."""

from __future__ import annotations

from random import Random
from typing import Final

from discovery.platforms.making import CannotMake, Made, Parts

FINDS: Final = False


def make(parts: Parts, runs: bool) -> Made:
    """Raises CannotMake when the state folder cannot be written."""
    from discovery.platforms.process import ProcessPlatform

    try:
        made = ProcessPlatform(
            state=parts.state,
            prober=parts.prober,
            drained=parts.drained,
            random=Random(),
            served_at=parts.served_at,
        )
    except OSError as error:
        raise CannotMake(f"the state folder {parts.state} cannot be written ({error.strerror})") from None
    return Made(made, made if runs else None)
