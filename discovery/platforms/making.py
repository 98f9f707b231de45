"""How a platform comes to a node: by its name, which is that of a module in `discovery.platforms.makers`.

Such a module is all that a new platform needs beside itself; no list has its name.  It offers `MakerModule`, and
imports what the platform is made of only when one is made: the names alone are asked for much oftener.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from config.meta import Named
from discovery.platforms import makers

if TYPE_CHECKING:
    from config.settings import NodeConfigSpec
    from discovery.platforms.base import Drained, Platform, PlatformStanding
    from discovery.platforms.environment import ServedAt
    from discovery.prober import Prober
    from discovery.workloads.deployments import Deployments


class CannotMake(Exception):
    """A platform that cannot be made, in words for the user, who can put it right."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What platforms are made of."""

    node: NodeConfigSpec
    """As it was at the start."""
    state: Path
    """The state folder."""
    found: Path | None
    """The file for Services that a platform finds labels for; None: these are made elsewhere."""
    prober: Prober
    drained: Drained
    served_at: ServedAt
    carries: bool = True
    """Whether anything is sent to replicas from here, so that it matters whether they listen."""


class Made(NamedTuple):
    """A platform, and what else is known of it, if anything is."""

    platform: Platform
    deployments: Deployments[Any] | None = None
    """Who runs the Deployments."""
    standing: Callable[[], PlatformStanding] | None = None
    """How it stands with whoever really runs its replicas."""
    size: Callable[[Named], int | None] | None = None
    """How many replicas a workload is to have that is no Deployment; None: that is not known here."""


class MakerModule(Protocol):
    """What a module in `makers` has."""

    FINDS: bool
    """Whether it makes Services of what it finds, so that registries look at it too."""

    def make(self, parts: Parts, runs: bool) -> Made:
        """`runs`: whether Deployments are to run there.  Raises CannotMake."""


def names() -> tuple[str, ...]:
    """Of all platforms that there are, sorted."""
    return tuple(sorted(file.stem for folder in makers.__path__ for file in Path(folder).glob("[!_]*.py")))


def maker(name: str) -> MakerModule:
    """Raises CannotMake when there is no such platform."""
    if name not in (known := names()):
        raise CannotMake(f"there is no platform {name}, there are {', '.join(known)}")
    return cast("MakerModule", import_module(f"{makers.__name__}.{name}"))


def known() -> dict[str, bool]:
    """By name, all platforms that there are, and whether each makes Services of what it finds."""
    return {name: maker(name).FINDS for name in names()}


def finding(platforms: Iterable[str]) -> tuple[str, ...]:
    """Those of `platforms` that make Services of what they find."""
    there = names()
    return tuple(name for name in platforms if name in there and maker(name).FINDS)
