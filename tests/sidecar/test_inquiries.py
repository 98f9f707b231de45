"""What is asked of a sidecar's DNS server about Services that it does not follow yet."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import dns.message
import dns.rcode
import pytest

from config.configset import ConfigSet
from config.meta import Named, ObjectMeta
from config.resources.core import Service, ServicePort, ServiceSpec
from discovery.registry.responder import Responder
from sidecar import inquiries
from sidecar.inquiries import Inquiries
from tests.discovery.registry.servers import Nowhere
from tests.discovery.registry.test_authority import until

WEB, DB = Named("default", "web"), Named("default", "db")
PORTS = (ServicePort(port=80, name="http"),)
SERVICES = {
    WEB: Service(metadata=ObjectMeta("any", "default"), spec=ServiceSpec(ports=PORTS)),
    DB: Service(metadata=ObjectMeta("any", "default"), spec=ServiceSpec(ports=PORTS, cluster_ip="None")),
}


class Learner:
    """Knows what it has been told to."""

    def __init__(self) -> None:
        self.used: list[Named] = []
        self.known = asyncio.Event()

    def lacks(self, service: Named) -> bool:
        return service in SERVICES and not self.known.is_set()

    def use(self, service: Named) -> None:
        self.used.append(service)

    async def answerable(self, service: Named) -> None:
        await self.known.wait()


@pytest.fixture
async def learner() -> Learner:
    return Learner()


@pytest.fixture
async def asked(learner: Learner) -> Any:
    made = Inquiries(Responder(Random(1)), Nowhere(), learner, lambda: ConfigSet(services=SERVICES))
    yield made
    await made.close()


def question(name: str) -> bytes:
    return dns.message.make_query(f"{name}.cluster.local", "A").to_wire()


async def test_one_that_is_not_known_here_is_waited_for(asked: Inquiries, learner: Learner) -> None:
    learner.lacks = lambda _: not learner.known.is_set()  # type: ignore[method-assign]
    sent: list[bytes | None] = []
    assert asked.take(question("none.default.svc"), "127.0.0.1", sent.append)
    assert learner.used == [Named("default", "none")]
    assert sent == []
    learner.known.set()
    await until(lambda: len(sent) == 1)


ABOUT = {
    "web.default.svc": (WEB, False),
    "_http._tcp.web.default.svc": (WEB, False),
    "db.default.svc": (DB, True),
    "POD-1.DB.default.svc": (DB, True),
    "web.default.endpoints": (None, False),
    "_http._tcp.web.default.endpoints": (WEB, True),
    "host.web.default.endpoints": (WEB, True),
    "none.default.svc": (None, False),
    "default.svc": (None, False),
    "svc": (None, False),
    "endpoints": (None, False),
    "web.default.other": (None, False),
}


@pytest.mark.parametrize("name", ABOUT)
async def test_to_ask_for_a_name_is_to_use_the_service(asked: Inquiries, learner: Learner, name: str) -> None:
    service, waits = ABOUT[name]
    sent: list[bytes | None] = []
    assert asked.take(question(name), "127.0.0.1", sent.append) is waits
    assert learner.used == ([service] if service else [])
    await asyncio.sleep(0)
    assert sent == []
    learner.known.set()
    if waits:
        await until(lambda: len(sent) == 1)
    assert not asked.take(question(name), "127.0.0.1", sent.append)


@pytest.mark.parametrize("message", [b"", b"\0" * 11, b"\0" * 12, question("web.default.svc")[:-3]])
async def test_what_is_no_question_is_left_to_others(asked: Inquiries, learner: Learner, message: bytes) -> None:
    assert not asked.take(message, "127.0.0.1", lambda _: None)
    assert learner.used == []


async def test_nobody_waits_for_ever_and_not_too_many_do(
    asked: Inquiries, learner: Learner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inquiries, "PATIENCE", 0.01)
    monkeypatch.setattr(inquiries, "HELD", 2)
    sent: list[bytes | None] = []
    assert [asked.take(question("db.default.svc"), "127.0.0.1", sent.append) for _ in range(3)] == [True, True, False]
    await until(lambda: len(sent) == 2)
    assert sent[0] is not None
    assert dns.message.from_wire(sent[0]).rcode() == dns.rcode.SERVFAIL, "there are no names at all"


async def test_at_the_end_they_are_let_go(asked: Inquiries, learner: Learner) -> None:
    sent: list[bytes | None] = []
    assert asked.take(question("db.default.svc"), "127.0.0.1", sent.append)
    await asked.close()
    assert sent == []
