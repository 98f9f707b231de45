"""What is handed to the helper that judges."""

from __future__ import annotations

import msgspec

from config.meta import ObjectKey
from sidecar.channel.proposal import Proposal


def test_it_arrives_as_it_was_sent() -> None:
    proposal = Proposal(
        "{}", [(ObjectKey("Secret", "a", "b"), "{}")], [("f", "x: 1")], [ObjectKey("Service", "a", "b")]
    )
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(proposal), type=Proposal) == proposal
