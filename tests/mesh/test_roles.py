"""The connections, exchange and tunnel have the faces that the other side of each seam expects."""

from __future__ import annotations

import pytest

from mesh import roles
from mesh.downstream import HTTPDownstream
from mesh.exchange import Exchange
from mesh.tunnel import Tunnel


@pytest.mark.parametrize(
    ("role", "player"),
    [
        (roles.Client, HTTPDownstream),
        (roles.Carried, Tunnel),
        (roles.Carried, Exchange),
        (roles.Responding, Exchange),
        (roles.Duplex, Tunnel),
        (roles.Duplex, Exchange),
    ],
)
def test_faces(role: type, player: type) -> None:
    names = {name for base in role.__mro__ for name, part in vars(base).items() if callable(part) and name[0] != "_"}
    assert names
    assert names <= set(dir(player))
