"""Requests that rules send to one Backend or another, on one connection."""

from __future__ import annotations

import pytest

from mesh.backend import Backend
from mesh.matcher import matcher_of
from mesh.plan import BackendKey, BackendPlan
from mesh.rules import rule
from mesh.table import Listener, Route, RoutingTable
from tests.mesh.dialogue import GET, OK, Mesh, answering, get, mesh

OTHER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother"


def routed(world: Mesh, *, via: bool = True) -> Backend:
    """``/a`` and all below it goes to the first endpoint, host `other` to the second; returns what is for no rule."""
    clock, deadlines = world.loop.time, world.proxy.deadlines
    first, second, unmet = (
        Backend(BackendKey("default", name, "http"), clock, deadlines) for name in ("first", "second", "unmet")
    )
    first.apply(BackendPlan(first.key, (world.addresses[0],)))
    second.apply(BackendPlan(second.key, (world.addresses[1],), via=via))
    rules = [
        rule("", "/a", "Prefix", "Ingress default/i", Route(first)),
        rule("other", "/", "Prefix", "Ingress default/i", Route(second)),
    ]
    listener = Listener(world.key, "Ingress", "http", Route(unmet), routes=matcher_of(rules))
    world.proxy.table = RoutingTable(2, {world.key: listener})
    return unmet


async def test_requests_of_one_connection_go_where_the_rules_say() -> None:
    async with mesh(answering(OK), answering(OTHER), entry="Ingress") as world:
        unmet = routed(world)
        wire = await world.dial()
        for _ in range(2):
            await wire.send(get("/a/b?c=/d"))
            assert await wire.exactly(len(OK)) == OK
            await wire.send(GET.replace(b"Host: a", b"Host: Other:8080"))
            assert await wire.exactly(len(OTHER)) == OTHER
        await wire.send(get("/x/../a", "Connection: x", method="PUT", body=b"body"))
        assert await wire.exactly(len(OK)) == OK
        assert [len(endpoint.heads) for endpoint in world.endpoints] == [3, 2]
        assert world.endpoints[0].heads[2].startswith(b"PUT /x/../a HTTP/1.1\r\n")
        assert world.endpoints[0].bodies[2] == b"body"
        assert unmet.stats.codes == {}


@pytest.mark.parametrize(
    "request_",
    [get("/nothing"), get("/ab"), get("/nothing", "Connection: x"), get("/nothing", method="POST", body=b"x")],
)
async def test_what_meets_no_rule_is_told_what_was_looked_for(request_: bytes) -> None:
    async with mesh(answering(OK), answering(OTHER), entry="Ingress") as world:
        unmet = routed(world)
        answer = await world.ask(request_ + get("/a"))
        assert answer.startswith(b"HTTP/1.1 404 ")
        assert b"error=destination_not_found" in answer
        assert b"nothing is served here for host a and path /" in answer
        assert b"other" not in answer
        assert answer.endswith(OK), "the connection goes on"
        assert unmet.stats.codes == {404: 1}


async def test_each_backend_says_what_is_added() -> None:
    async with mesh(answering(OK), answering(OTHER), entry="Ingress") as world:
        routed(world, via=False)
        wire = await world.dial()
        for host in ("a", "other", "a", "other"):
            await wire.send(get("/a").replace(b"Host: a", b"Host: " + host.encode()))
            await wire.until(b"\r\n\r\n")
            await wire.exactly(2 if host == "a" else 5)
        assert all(b"Via: 1.1 weft" in head for head in world.endpoints[0].heads)
        assert not any(b"Via" in head for head in world.endpoints[1].heads)
        assert all(b"X-Forwarded-Host: other\r\n" in head for head in world.endpoints[1].heads)
