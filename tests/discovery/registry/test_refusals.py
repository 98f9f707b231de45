"""Refused updates are told of once a minute for each client and reason, and within bounds."""

from __future__ import annotations

import logging

import dns.tsig
import dns.update
import pytest

from discovery.registry.keys import Key
from discovery.registry.refusals import MOST_TOLD, WINDOW_SECONDS, Refusals
from discovery.registry.wire import NOTZONE, NXDOMAIN, from_text
from tests.discovery.registry.registries import registry
from tests.discovery.registry.test_authority import KEYS, NODE, THEIRS, ask, rcode, ring, update
from tests.discovery.registry.test_primary import Memory


@pytest.fixture(autouse=True)
def _info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "discovery.registry.refusals")


class Clock:
    now = 5.0

    def __call__(self) -> float:
        return self.now


def test_each_client_and_reason_is_told_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    refusals = Refusals(clock)
    for client, reason in (("a", "x"), ("a", "x"), ("b", "x"), ("a", "y"), ("b", "x")):
        refusals.told(client, reason)
    assert [record.getMessage()[-15:] for record in caplog.records] == [
        "a is refused: x", "b is refused: x", "a is refused: y"
    ]  # fmt: skip
    clock.now += WINDOW_SECONDS
    refusals.told("a", "x")
    assert len(caplog.records) == 4


def test_many_clients_do_not_flood_the_log(caplog: pytest.LogCaptureFixture) -> None:
    refusals = Refusals(Clock())
    for number in range(MOST_TOLD * 3):
        refusals.told(str(number), "x")
    assert len(caplog.records) == MOST_TOLD


def test_zones_are_quoted_and_conditions_are_no_refusals(caplog: pytest.LogCaptureFixture) -> None:
    refusals = Refusals(Clock())
    refusals.told("a", "x", (b"new\nline", b"com"))
    refusals.told("b", "x", from_text("example.com"))
    refusals.refused("a", NXDOMAIN)
    refusals.refused("a", NOTZONE)
    assert [record.getMessage() for record in caplog.records] == [
        'an update of "new\\nline.com" from a is refused: x',
        'an update of "example.com" from b is refused: x',
        "an update from a is refused: it has a name that is not in the zone",
    ]


async def test_the_registry_says_why_it_refuses(caplog: pytest.LogCaptureFixture) -> None:
    async with registry(Memory(), KEYS) as where:
        for _ in range(2):
            await rcode(where, update("a.default A 10.0.0.1"))
        await rcode(where, update("a.default A 10.0.0.1", key="reader"))
        await rcode(where, update("a.other A 10.0.0.1", key="node-1"))
        other = dns.update.UpdateMessage("example.com")
        other.use_tsig(THEIRS, "node-1")
        await rcode(where, other)
        wrong = update("a.default A 10.0.0.1")
        wrong.use_tsig(ring(Key(NODE.name, NODE.algorithm, b"another secret!!")), "node-1")
        with pytest.raises(dns.tsig.PeerBadSignature):
            await ask(where, wrong)
        await rcode(where, update("a.default A 10.0.0.1", key="node-1"))
    reasons = [record.getMessage().partition(" is refused: ")[2] for record in caplog.records]
    assert reasons == [
        "it has no key, and comes from where one is needed",
        "its key may write nothing",
        "it changes a name that may not be changed by whoever sent it, or is too large",
        "that is no zone of this server",
        "its signature does not hold (BADSIG)",
    ]
    assert 'an update of "example.com" from 127.0.0.1 is refused' in caplog.text
    assert "secret" not in caplog.text
