"""The ends of the channel, joined to their processes: what a user may have got wrong."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sidecar.channel.ends import node_end, registry_end
from sidecar.channel.guard import Runs
from sidecar.channel.options import ChannelOptions
from sidecar.channel.received import Received, received
from sidecar.errors import UserError
from sidecar.follower import Follower
from sidecar.options import Address
from sidecar.registry import Registry

THERE = Address("127.0.0.1", 9903)


class NamedFollower(Follower):
    def __init__(self) -> None:
        """Only its name matters here."""

    @property
    def name(self) -> str:
        return "one"


def _process(zones: object) -> Any:
    return SimpleNamespace(dns=SimpleNamespace(zones=zones))


def _taken(state: Path) -> Received:
    return Received(state, lambda: None, Runs())


def test_the_channel_needs_the_zones_that_belong_to_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--peers is for"):
        registry_end(ChannelOptions(peers=THERE), _process(None), tmp_path, _taken(tmp_path))
    with pytest.raises(UserError, match="--join is for"):
        node_end(ChannelOptions(join=(THERE,), token=Path("t")), _process(None), _taken(tmp_path), "node")


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "No such file"), ("nonsense", "no token"), ("caf\u00e9", "ascii"), (f"two:s:{'ab' * 32}", "token of two")],
)
def test_a_token_that_is_not_this_nodes_is_refused(tmp_path: Path, content: str | None, said: str) -> None:
    token = tmp_path / "token"
    if content is not None:
        token.write_text(content)
    with pytest.raises(UserError, match=said):
        node_end(ChannelOptions(join=(THERE,), token=token), _process(NamedFollower()), _taken(tmp_path), "node")


def test_an_address_that_is_taken_is_refused(tmp_path: Path) -> None:
    zones = Registry.__new__(Registry)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        options = ChannelOptions(peers=Address(*taken.getsockname()))
        with pytest.raises(UserError, match=r"cannot be used \(Address already in use\)$"):
            registry_end(options, _process(zones), tmp_path, _taken(tmp_path))


async def test_a_state_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "channel").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        received(ChannelOptions(peers=THERE), tmp_path, True, asyncio.Event())
