"""A trace is begun where there is none that can be read, and only there."""

from __future__ import annotations

import re

import pytest

from config.filters import TracePolicy
from mesh.filters.chain import Filters
from mesh.filters.trace import Trace
from tests.mesh.dialogue import OK, answering, get, mesh

HEAD = b"GET / HTTP/1.1\r\nHost: a\r\nX-traceparent: 1\r\n"
TRACE, PARENT = b"0af7651916cd43dd8448eb211c80319c", b"b7ad6b7169203331"
OWN = b"traceparent: 00-%b-%b-01\r\n" % (bytes(range(16)).hex().encode(), bytes(range(16, 24)).hex().encode())

KEPT = {
    "as it is written": b"traceparent: 00-%b-%b-01\r\n" % (TRACE, PARENT),
    "not sampled": b"traceparent: 00-%b-%b-00\r\n" % (TRACE, PARENT),
    "any case": b"TraceParent:00-%b-%b-01\t \r\n" % (TRACE, PARENT),
    "a later version": b"traceparent: 01-%b-%b-01-more\r\n" % (TRACE, PARENT),
    "with its state": b"traceparent: 00-%b-%b-01\r\ntracestate: a=b\r\n" % (TRACE, PARENT),
}
BEGUN = {
    "none": b"",
    "no trace id": b"traceparent: 00-%b-%b-01\r\n" % (b"0" * 32, PARENT),
    "no parent id": b"traceparent: 00-%b-%b-01\r\n" % (TRACE, b"0" * 16),
    "version ff": b"traceparent: ff-%b-%b-01\r\n" % (TRACE, PARENT),
    "too short": b"traceparent: 00-%b-%b-01\r\n" % (TRACE[1:], PARENT),
    "no flags": b"traceparent: 00-%b-%b\r\n" % (TRACE, PARENT),
    "twice": b"traceparent: 00-%b-%b-01\r\n" % (TRACE, PARENT) * 2,
    "a state alone": b"tracestate: a=b\r\n",
    "empty": b"traceparent:\r\n",
}


def trace(percent: float = 100.0, chance: float = 0.5) -> Trace:
    return Trace(TracePolicy(sampled_percent=percent), lambda: chance, lambda count: bytes(range(count)))


@pytest.mark.parametrize("name", KEPT)
def test_a_trace_that_can_be_read_goes_on(name: str) -> None:
    assert trace()(HEAD + KEPT[name]) == HEAD + KEPT[name]


@pytest.mark.parametrize("name", BEGUN)
def test_a_trace_is_begun(name: str) -> None:
    assert trace()(HEAD + BEGUN[name]) == HEAD + OWN


@pytest.mark.parametrize(
    ("percent", "chance", "flags"), [(100, 0.99, b"01"), (0, 0.0, b"00"), (50, 0.4, b"01"), (50, 0.6, b"00")]
)
def test_a_share_is_sampled(percent: float, chance: float, flags: bytes) -> None:
    assert trace(percent, chance)(HEAD).endswith(b"-%b\r\n" % flags)


def test_ids_are_random() -> None:
    made = {
        re.findall(rb"-([0-9a-f]{32})-([0-9a-f]{16})-", Trace(TracePolicy(), lambda: 0.0)(HEAD))[0] for _ in range(9)
    }
    assert len(made) == 9


async def test_endpoints_are_sent_the_trace() -> None:
    async with mesh(answering(OK), filters=Filters(lambda: 0.5, edits=(trace(),))) as world:
        await world.ask(get("/begun"))
        await world.ask(get("/passed-on", KEPT["as it is written"].decode().strip()))
        begun, passed_on = world.endpoints[0].heads
        assert OWN in begun
        assert KEPT["as it is written"] in passed_on
        assert passed_on.lower().count(b"traceparent:") == 1


async def test_without_a_policy_what_comes_is_passed_on() -> None:
    async with mesh(answering(OK)) as world:
        await world.ask(get("/", KEPT["with its state"].decode().strip()))
        assert KEPT["with its state"] in world.endpoints[0].heads[0]
