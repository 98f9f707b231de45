"""What fails before a response goes elsewhere if that is harmless; the rest is answered, with a reason."""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from typing import Any

import pytest

from config.balancing import EjectionPolicy
from config.policies import RetryBackoffPolicy, RetryPolicy, TimeoutPolicy
from discovery.endpoint import Endpoint
from mesh.connector import close_with_reset
from mesh.reasons import OVERSTAYED
from tests.mesh.dialogue import GET, OK, Mesh, Script, Wire, answering, get, mesh
from tests.mesh.relaying import until


async def closing(wire: Wire) -> None:
    """Take a request and close without an answer."""
    await wire.message()


async def resetting(wire: Wire) -> None:
    await wire.message()
    wire.reset()


async def silent(wire: Wire) -> None:
    await wire.message()
    await wire.rest()


def close_second(first: bytes = OK) -> Script:
    """Answer once, then close on the second request: a connection that was good when it was pooled."""

    async def script(wire: Wire) -> None:
        await wire.message()
        await wire.send(first)
        await wire.message()

    return script


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"])
@pytest.mark.parametrize("failing", [closing, resetting])
async def test_idempotent_requests_go_elsewhere(method: str, failing: Script) -> None:
    body = b"" if method in ("GET", "HEAD", "TRACE") else b"x" * 1000
    async with mesh(failing, failing, answering(OK)) as world:
        wire = await world.dial()
        for _ in range(3):
            await wire.send(get(method=method, body=body))
            head, _ = await wire.message(bodiless=method == "HEAD")
            assert head.startswith(b"HTTP/1.1 200 OK")
            if method == "HEAD":
                break
        assert world.endpoints[2].bodies[0] == body
        assert world.stats.retries["tried"]
        assert set(world.stats.codes) == {200}


@pytest.mark.parametrize("method", ["POST", "PATCH", "BREW"])
async def test_others_do_not_once_their_bytes_are_sent(method: str) -> None:
    async with mesh(closing, closing) as world:
        answer = await world.ask(get(method=method, body=b"x"))
        assert b"HTTP/1.1 502 " in answer
        assert b"error=connection_terminated" in answer
        assert world.stats.retries == {"not-replayable": 1}


async def test_what_the_client_was_shown_something_of_stays_where_it_is() -> None:
    """An interim response is a part of this endpoint's answer."""

    async def hinting(wire: Wire) -> None:
        await wire.message()
        await wire.send(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n")

    async with mesh(hinting, hinting) as world:
        answer = await world.ask(GET)
        assert answer.startswith(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 502 ")
        assert b"error=connection_terminated" in answer
        assert world.stats.retries == {"not-replayable": 1}


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_refused_connect_goes_elsewhere_for_all(method: str) -> None:
    async with mesh(answering(OK), refusing=2) as world:
        for _ in range(4):
            answer = await world.ask(get(method=method, body=b"x" * 10))
            assert answer.startswith(b"HTTP/1.1 200")
        assert sum(state.failures > 0 for state in world.backend.endpoints.values()) == 1, "at most half"


async def test_when_all_refuse_the_client_is_told() -> None:
    async with mesh(refusing=3) as world:
        answer = await world.ask(GET)
        assert b"error=connection_refused" in answer
        assert world.stats.retries == {"tried": 2, "exhausted": 1}
        assert world.stats.codes == {502: 1}


class Unable:
    """An event loop that fails to connect with a certain error."""

    def __init__(self, loop: asyncio.AbstractEventLoop, number: int) -> None:
        self.create_task, self.call_later = loop.create_task, loop.call_later
        self._number = number

    async def create_connection(self, *_: object) -> None:
        raise OSError(self._number, "no")


@pytest.mark.parametrize(
    ("number", "error", "retries", "failures"),
    [
        (errno.EMFILE, b"503 Service Unavailable|error=proxy_internal_error", {}, 0),
        (errno.EADDRNOTAVAIL, b"503 Service Unavailable|error=proxy_internal_error", {}, 0),
        (errno.EHOSTUNREACH, b"502 Bad Gateway|error=destination_ip_unroutable", {"tried": 2, "exhausted": 1}, 1),
    ],
)
async def test_why_no_connection_was_made(number: int, error: bytes, retries: dict[str, int], failures: int) -> None:
    async with mesh(answering(OK), answering(OK), answering(OK)) as world:
        world.proxy.loop = Unable(world.loop, number)  # type: ignore[assignment]
        answer = await world.ask(GET)
        assert all(part in answer for part in error.split(b"|")), answer
        assert world.stats.retries == retries
        assert sum(state.failures for state in world.backend.states()) == failures, "at most half"


async def test_a_pooled_connection_that_was_closed_is_replaced() -> None:
    async with mesh(close_second()) as world:
        wire = await world.dial()
        for _ in range(4):
            await wire.send(GET)
            assert await wire.exactly(len(OK)) == OK


async def test_a_large_body_is_not_replayed() -> None:
    async def script(wire: Wire) -> None:
        await wire.until(b"\r\n\r\n")
        await wire.exactly(200_000)

    async with mesh(script, script) as world:
        answer = await world.ask(get(method="PUT", body=b"x" * 200_000))
        assert b"HTTP/1.1 502 " in answer
        assert world.stats.retries == {"not-replayable": 1}


async def test_a_large_body_is_sent_whole_after_a_refused_connect() -> None:
    async with mesh(answering(OK), refusing=1) as world:
        body = bytes(range(256)) * 2000
        wire = await world.dial()
        await wire.send(get(method="POST", body=body))
        assert await wire.exactly(len(OK)) == OK
        assert world.endpoints[0].bodies == [body]


async def test_attempts_are_counted() -> None:
    async with mesh(closing, closing, closing, retries=RetryPolicy(attempts=1)) as world:
        assert b"HTTP/1.1 502 " in await world.ask(GET)
        assert sum(len(endpoint.heads) for endpoint in world.endpoints) == 2
    async with mesh(closing, closing, retries=RetryPolicy(attempts=0)) as world:
        assert b"HTTP/1.1 502 " in await world.ask(GET)
        assert world.stats.retries == {}
    async with mesh(closing, closing, retries=RetryPolicy(on=("refused",))) as world:
        assert b"HTTP/1.1 502 " in await world.ask(GET)
        assert sum(len(endpoint.heads) for endpoint in world.endpoints) == 1


BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"


async def test_503_is_retried_only_if_the_policy_says_so() -> None:
    async with mesh(answering(BUSY), answering(OK)) as world:
        answers = {await world.ask(GET), await world.ask(GET)}
        assert answers == {BUSY, OK}
    async with mesh(answering(BUSY), answering(OK), retries=RetryPolicy(on=("503",))) as world:
        for _ in range(4):
            assert await world.ask(GET) == OK
        assert {await world.ask(get(method="POST", body=b"x")) for _ in range(2)} == {BUSY, OK}
    async with mesh(answering(BUSY), answering(BUSY), retries=RetryPolicy(on=("503",))) as world:
        assert await world.ask(GET) == BUSY


async def test_503_is_handed_on_when_the_budget_has_no_room() -> None:
    async with mesh(answering(BUSY), retries=RetryPolicy(on=("503",))) as world:
        world.backend.retry_budget.running = 3
        assert await world.ask(GET) == BUSY
        assert world.stats.retries == {"budget": 1}
        assert world.stats.reasons == {}
        world.backend.retry_budget.running = 0


async def test_503_to_the_end_is_counted() -> None:
    async with mesh(answering(BUSY), answering(BUSY), retries=RetryPolicy(on=("503",))) as world:
        assert await world.ask(GET) == BUSY
        assert await world.ask(get(method="POST", body=b"x")) == BUSY
        assert world.stats.retries == {"tried": 2, "exhausted": 1, "not-replayable": 1}


async def test_no_endpoint() -> None:
    async with mesh() as world:
        wire = await world.dial()
        for _ in range(2):
            await wire.send(GET)
            head, body = await wire.message()
            assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
            assert b'Proxy-Status: weft; error=destination_unavailable; details="' in head
            assert b"no ready endpoint" in body
        assert world.stats.reasons == {"destination_unavailable": 2}


async def test_a_withdrawn_endpoint_gives_its_requests_back() -> None:
    async with mesh(silent, silent, answering(OK)) as world:
        for _ in range(3):
            wire = await world.dial()
            await wire.send(GET)
            if world.stats.codes.get(200):
                break
            await world.wait(lambda: any(e.heads for e in world.endpoints[:2]) or bool(world.stats.codes))
        world.use(*world.addresses[2:])
        await world.wait(lambda: not world.stats.in_flight)
        assert set(world.stats.codes) == {200}


async def test_a_withdrawn_endpoint_keeps_what_is_not_harmless_to_move() -> None:
    gate = asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.message()
        await gate.wait()
        await wire.send(OK)

    async with mesh(script) as world:
        wire = await world.dial()
        await wire.send(get(method="POST", body=b"x"))
        await world.wait(lambda: bool(world.endpoints[0].heads))
        world.use()
        gate.set()
        assert await wire.exactly(len(OK)) == OK
        state = next(iter(world.backend.departed.values()))
        await world.wait(lambda: not state.connections)
        assert not state.idle


async def test_all_requests_of_an_endpoint_that_dies_are_saved_within_the_budget() -> None:
    """More fail in one instant than the budget lets run at a time: the rest wait for their turn."""
    gate = asyncio.Event()

    async def dying(wire: Wire) -> None:
        await wire.message()
        await gate.wait()
        wire.reset()

    async def slow(wire: Wire) -> None:
        while True:
            await wire.message()
            await asyncio.sleep(0.002)
            await wire.send(OK)

    async with mesh(dying, slow) as world:
        wires = [await world.dial() for _ in range(40)]
        for wire in wires:
            await wire.send(GET)
        await world.wait(lambda: len(world.endpoints[0].heads) == 20)
        gate.set()
        for wire in wires:
            assert await wire.exactly(len(OK)) == OK
        assert world.stats.codes == {200: 40}
        assert world.stats.retries == {"tried": 20}


async def test_a_retry_that_gets_no_place_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mesh.failover.RETRY_WAIT", 0.05)
    async with mesh(closing, closing) as world:
        world.backend.retry_budget.running = 3
        assert b"error=connection_terminated" in await world.ask(GET)
        assert world.stats.retries == {"budget": 1}, "it was not tried"
        world.backend.retry_budget.running = 0


async def test_a_client_that_leaves_while_its_retry_waits() -> None:
    async with mesh(closing, closing) as world:
        world.backend.retry_budget.running = 3
        wire = await world.dial()
        await wire.send(GET)
        await world.wait(lambda: bool(world.backend.retry_budget._waiting))
        wire.reset()
        await world.wait(lambda: world.stats.codes == {499: 1})
        world.backend.retry_budget.ended()
        world.backend.retry_budget.running = 0


async def test_partial_heads_are_not_retried() -> None:
    async def script(wire: Wire) -> None:
        await wire.message()
        await wire.send(b"HTTP/1.1 200 OK\r\n")

    async with mesh(script, answering(OK)) as world:
        answers = [await world.ask(GET), await world.ask(GET)]
        assert sorted(b"http_response_incomplete" in answer for answer in answers) == [False, True]


async def test_response_head_timeout() -> None:
    async with mesh(silent, timeouts=TimeoutPolicy(response_head=0.1)) as world:
        answer = await world.ask(GET)
        assert b"HTTP/1.1 504 " in answer
        assert b"error=http_response_timeout" in answer


async def test_a_response_that_stalls_is_cut() -> None:
    async def script(wire: Wire) -> None:
        await wire.message()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello")
        await wire.rest()

    async with mesh(script, timeouts=TimeoutPolicy(idle=0.1)) as world:
        answer = await world.ask(GET)
        assert answer.endswith(b"hello")
        assert world.stats.reasons == {"connection_read_timeout": 1}


async def test_a_request_body_that_stalls() -> None:
    async def script(wire: Wire) -> None:
        await wire.until(b"\r\n\r\n")
        await wire.rest()

    async with mesh(script, timeouts=TimeoutPolicy(idle=0.1, response_head=0.2)) as world:
        wire = await world.dial()
        await wire.send(get("/", "Content-Length: 50", method="POST") + b"hello")
        assert b"HTTP/1.1 408 " in await wire.rest()


@pytest.mark.parametrize("body", [b"5\r\nhelloX\r\n", b"5;\0\r\n", b"0\r\nContent-Length: 5\r\n\r\n"])
async def test_a_malformed_request_body(body: bytes) -> None:
    async with mesh(silent) as world:
        wire = await world.dial()
        await wire.send(get("/", "Transfer-Encoding: chunked", method="POST"))
        await asyncio.sleep(0.01)
        await wire.send(body)
        answer = await wire.rest()
        assert b"HTTP/1.1 400 " in answer
        assert answer.count(b"HTTP/1.1") == 1
        assert world.stats.codes == {400: 1}
        assert b"HTTP/1.1 400 " in await world.ask(get("/", "Transfer-Encoding: chunked", method="POST") + body)


async def test_connect_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*args: object, **named: object) -> None:
        await asyncio.Event().wait()

    async with mesh(answering(OK), timeouts=TimeoutPolicy(connect=0.05)) as world:
        await _with_connections_that_hang(world, never)


async def _with_connections_that_hang(world: Mesh, never: Any) -> None:
    class Loop:
        create_task, call_later = world.loop.create_task, world.loop.call_later
        create_connection = staticmethod(never)

    real, world.proxy.loop = world.proxy.loop, Loop()  # type: ignore[assignment]
    answer = await world.ask(GET)
    assert b"HTTP/1.1 504 " in answer
    assert b"error=connection_timeout" in answer
    assert world.stats.retries == {"tried": 2, "exhausted": 1}
    world.proxy.loop = real
    assert await world.ask(GET) == OK


SLOW = TimeoutPolicy(response_head=0.1)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_answers_that_a_policy_retries(status: int) -> None:
    bad = b"HTTP/1.1 %d X\r\nContent-Length: 3\r\n\r\nbad" % status
    async with mesh(answering(bad), answering(OK), retries=RetryPolicy(on=(str(status),))) as world:  # type: ignore[arg-type]
        assert [await world.ask(GET) for _ in range(4)] == [OK] * 4
        assert world.stats.retries == {"tried": 4}
    async with mesh(answering(bad), retries=RetryPolicy(on=("reset",))) as world:
        assert (await world.ask(GET)).startswith(b"HTTP/1.1 %d X" % status)
        assert not world.stats.retries


async def test_answers_that_stay_bad_are_shown_in_the_end() -> None:
    bad = b"HTTP/1.1 500 X\r\nContent-Length: 3\r\n\r\nbad"
    async with mesh(answering(bad), retries=RetryPolicy(on=("500",), attempts=3)) as world:
        began = time.monotonic()
        assert await world.ask(GET) == bad
        assert time.monotonic() - began >= (0.025 + 0.05) / 2, "the first retry goes at once, others wait"
        assert world.stats.retries == {"tried": 3, "exhausted": 1}
        assert len(world.endpoints[0].heads) == 4
        assert await world.ask(get(method="POST", body=b"x")) == bad
        assert world.stats.retries["not-replayable"] == 1


async def test_timeouts_that_a_policy_retries() -> None:
    async def silent(wire: Wire) -> None:
        await wire.message()
        await wire.rest()

    async with mesh(silent, answering(OK), timeouts=SLOW, retries=RetryPolicy(on=("timeout",))) as world:
        assert await world.ask(GET) == OK
        assert world.stats.retries == {"tried": 1}
    async with mesh(silent, timeouts=SLOW) as world:
        assert (await world.ask(GET)).startswith(b"HTTP/1.1 504 ")
        assert not world.stats.retries


async def test_a_client_that_leaves_during_the_pause_gives_its_place_back() -> None:
    policy = RetryPolicy(on=("refused",), backoff=RetryBackoffPolicy(60.0, 60.0, 0))
    async with mesh(refusing=2, retries=policy) as world:
        wire = await world.dial()
        await wire.send(GET)
        await world.wait(lambda: world.stats.retries == {"tried": 2})
        assert world.backend.retry_budget.running == 1
        wire.reset()
        await world.settled()
        assert world.stats.codes == {499: 1}


async def test_answers_with_errors_eject_where_a_policy_says_so() -> None:
    bad = b"HTTP/1.1 500 X\r\nContent-Length: 3\r\n\r\nbad"
    async with mesh(answering(bad), answering(OK), ejection=EjectionPolicy(server_errors=2, first=60.0)) as world:
        answers = [await world.ask(GET) for _ in range(8)]
        assert answers.count(bad) == 2
        assert answers[4:] == [OK] * 4


@pytest.mark.both_loops
async def test_an_early_answer_is_heard_although_the_endpoint_breaks_off() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        async with mesh() as world:
            world.use(Endpoint(*server.getsockname()))
            wire = await world.dial()
            await wire.send(get("/", "Content-Length: 50", method="POST") + b"12345")
            line, _ = await world.loop.sock_accept(server)
            await world.loop.sock_recv(line, 65_536)
            line.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
            close_with_reset(line)
            (upstream,) = next(world.backend.states()).connections
            upstream.write(b"more")  # type: ignore[attr-defined]  # meets the reset before the answer is read
            said = b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig"
            assert await wire.rest() == said
            await world.settled()
            assert set(world.stats.codes) == {413}


GIVEN_UP = b'error=http_response_timeout; details="this proxy is shutting down, and drainTimeout has passed"'


def give_up(world: Mesh, draining: bool = True) -> None:
    world.proxy.draining = draining
    for client in tuple(world.proxy.clients):
        client.give_up(OVERSTAYED)  # type: ignore[attr-defined]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_who_waits_when_the_proxy_gives_up_is_told_why(method: str) -> None:
    """And goes nowhere else, whatever it asked for."""
    async with mesh(silent, silent) as world:
        wire = await world.dial()
        await wire.send(get("/", method=method))
        await until(lambda: any(endpoint.heads for endpoint in world.endpoints))
        give_up(world)
        answer = await wire.rest()
        assert answer.startswith(b"HTTP/1.1 504 ")
        assert GIVEN_UP in answer
        assert (world.stats.reasons, world.stats.retries) == ({"http_response_timeout": 1}, {})


@pytest.mark.parametrize("draining", [False, True])
async def test_no_endpoint_is_blamed_for_what_the_proxy_may_have_ended(draining: bool) -> None:
    async with mesh(silent, silent, ejection=EjectionPolicy(server_errors=1, first=60.0)) as world:
        wire = await world.dial()
        await wire.send(GET)
        await until(lambda: any(endpoint.heads for endpoint in world.endpoints))
        give_up(world, draining)
        await wire.until(b"drainTimeout")
        assert any(state.set_aside_until for state in world.backend.endpoints.values()) is not draining


@pytest.mark.parametrize("framing", ["Content-Length: 50", "Transfer-Encoding: chunked", "Connection: close"])
async def test_a_response_that_has_begun_is_cut_visibly_when_the_proxy_gives_up(framing: str) -> None:
    begun = b"5\r\nhello\r\n" if "chunked" in framing else b"hello"

    async def script(wire: Wire) -> None:
        await wire.message()
        await wire.send(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n%b" % (framing.encode(), begun))
        await wire.rest()

    async with mesh(script) as world:
        wire = await world.dial()
        await wire.send(get("/") if "close" not in framing else GET.replace(b"1.1", b"1.0"))
        await wire.until(b"hello")
        give_up(world)
        end = await wire.rest()
        assert b"0\r\n\r\n" not in end
        assert ("close" not in framing) or end == b"<reset>"
        assert world.stats.reasons == {"http_response_timeout": 1}


async def test_half_a_head_is_answered_and_idle_connections_are_closed_when_the_proxy_gives_up() -> None:
    async with mesh(answering(OK)) as world:
        idle, half = await world.dial(), await world.dial()
        await half.send(b"GET / HT")
        await until(lambda: len(world.proxy.clients) == 2)
        await until(lambda: any(client._ahead for client in world.proxy.clients))  # type: ignore[attr-defined]
        give_up(world)
        assert await idle.rest() == b""
        assert GIVEN_UP in await half.rest()
