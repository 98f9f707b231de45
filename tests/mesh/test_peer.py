"""Who is at the other end is found out once per connection."""

from __future__ import annotations

import pytest

from mesh.peer import Peer
from tests.mesh.dialogue import OK, answering, mesh


@pytest.mark.parametrize(
    ("trusted", "believed"), [("", False), ("127.0.0.0/8", True), ("10.0.0.0/8", False), ("::/0", False)]
)
async def test_trust(trusted: str, believed: bool) -> None:
    async with mesh(answering(OK), trusted=trusted) as world:
        await world.dial()
        await world.wait(lambda: bool(world.proxy.clients))
        peer = world.clients[0].peer
        assert isinstance(peer, Peer)
        assert (peer.address, peer.trusted, peer.learned) == ("127.0.0.1", believed, "socket")
