"""The roles of long-running processes: what a user starts, and what each of them can do without."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sidecar.beside import Beside
    from sidecar.channel.options import ChannelOptions


class Role(NamedTuple):
    """What a process does."""

    name: str
    """The command that starts it."""
    needs_work: bool
    """Whether there is nothing to do for it without a Service or a Deployment."""
    carries_traffic: bool
    channel: ChannelOptions | None = None
    """How it takes part in the channel; None: not at all."""
    beside: Beside | None = None
    """The application that it is for."""
    dry_run: bool = False
    """Whether its autoscalers only decide, whatever the NodeConfig says."""


UP = Role("up", needs_work=True, carries_traffic=True)
NODE = Role("node", needs_work=False, carries_traffic=True)
SIDECAR = Role("sidecar", needs_work=False, carries_traffic=True)
REGISTRY = Role("registry", needs_work=False, carries_traffic=False)
