"""TLS to endpoints: what policies and Secrets come to, and connections that verify or are not made."""

from __future__ import annotations

import asyncio
import socket
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec.structs import replace

from config.configset import ConfigSet
from config.filters import ReencryptPolicy, TLSPolicy
from config.meta import Named, ObjectKey, ObjectMeta
from config.resources.core import ConfigMap, Secret
from discovery.endpoint import Endpoint
from mesh.compiler import Compiled, compile  # noqa: A004 - the word for it
from mesh.live import Live
from mesh.mirror import send_copy
from mesh.plan import BackendKey
from mesh.reencryption import reencryption
from mesh.tls.context import server_context
from tests.certificates import Authority, Pair, authority
from tests.mesh.dialogue import GET, OK, Script, Wire, answering
from tests.mesh.making import Clock, config, policy, service, snapshot
from tests.mesh.relaying import World, relaying, silent, until

NAME = "shop.default.svc"
PUBLIC = Named("default", "public")
KEY = BackendKey("default", "shop", "http")


def ca(text: str | None = None, key: str = "ca.crt") -> Secret:
    return Secret(ObjectMeta("ca", "default"), string_data={key: text or authority().certificate.decode()})


def public(**values: Any) -> ConfigMap:
    return ConfigMap(ObjectMeta("public", "default"), **values)


def written(secret: Secret | ConfigMap | None, **fields: Any) -> ConfigSet:
    if isinstance(secret, ConfigMap):
        return replace(written(None, ca_secret="", ca_config_map="public"), config_maps={PUBLIC: secret})
    fields.setdefault("ca_secret", "ca")
    said = policy("p", "shop", tls=TLSPolicy(reencrypt=ReencryptPolicy(**fields)))
    made = config(service("shop"), said)
    return replace(made, secrets={Named("default", "ca"): secret} if secret else {})


def compiled(config_set: ConfigSet, previous: Compiled | None = None) -> Compiled:
    return compile(config_set, snapshot(), previous, Live(Clock()))


PROBLEMS = {
    "no Secret": (None, "Secret ca: it does not exist: no endpoint is trusted"),
    "no key": (ca(key="tls.crt"), "Secret ca: it has no key ca.crt: no endpoint is trusted"),
    "garbage": (ca("garbage"), "Secret ca: ca.crt holds no certificates that OpenSSL can read: no endpoint is trusted"),
    "a ConfigMap without the key": (
        public(data={"ca.pem": ""}),
        "ConfigMap public: it has no key ca.crt: no endpoint is trusted",
    ),
    "a ConfigMap of garbage": (
        public(binary_data={"ca.crt": "AAAA"}),
        "ConfigMap public: ca.crt holds no certificates that OpenSSL can read: no endpoint is trusted",
    ),
    "no base64": (
        Secret(ObjectMeta("ca", "default"), data={"ca.crt": "%"}),
        "Secret ca: is not base64: encode the value, or write it as plain text in stringData: no endpoint is trusted",
    ),
}


@pytest.mark.parametrize("case", PROBLEMS)
def test_without_authorities_nobody_is_trusted(case: str) -> None:
    secret, told = PROBLEMS[case]
    made = compiled(written(secret))
    tls = made.table.backends[KEY].tls
    assert tls is not None
    assert (tls.context.verify_mode, tls.context.get_ca_certs()) == (ssl.CERT_REQUIRED, [])
    status = made.statuses[ObjectKey("Service", "default", "shop")]
    assert (status.state, status.reasons) == ("degraded", (f"port http: {told}",))


def test_of_a_secret_that_breaks_the_last_good_one_counts() -> None:
    good = compiled(written(ca()))
    broken = compiled(written(ca("garbage")), good)
    before, after = good.table.backends[KEY].tls, broken.table.backends[KEY].tls
    assert before is not None
    assert after is not None
    assert after.context is before.context
    assert "what was there before counts" in after.problem


@pytest.mark.parametrize("field", ["data", "binary_data"])
def test_authorities_of_a_config_map(field: str) -> None:
    pem = authority().certificate
    value = pem.decode() if field == "data" else b64encode(pem).decode()
    first = written(public(**{field: {"ca.crt": value}}))
    made = compiled(first)
    tls = made.table.backends[KEY].tls
    assert tls is not None
    assert (len(tls.context.get_ca_certs()), tls.problem) == (1, "")
    changed = compiled(replace(first, config_maps={PUBLIC: public(data={"ca.crt": "garbage"})}), made)
    after = changed.table.backends[KEY].tls
    assert after is not None
    assert after.context is tls.context
    assert after.problem.startswith("ConfigMap public: ")


def test_the_context_stays_as_long_as_nothing_changes() -> None:
    first = written(ca())
    made = compiled(first)
    again = compiled(replace(first, services={**first.services, Named("default", "x"): service("x")}), made)
    assert again.table.backends[KEY].tls is made.table.backends[KEY].tls
    other = compiled(replace(first, policies={}), again)
    assert other.table.backends[KEY].tls is None


@pytest.mark.parametrize(
    ("fields", "name", "verified"),
    [
        ({}, NAME, True),
        ({"server_name": "other.example"}, "other.example", True),
        ({"ca_secret": ""}, NAME, True),
        ({"verify": False}, NAME, False),
    ],
)
def test_what_a_policy_asks_for(fields: dict[str, Any], name: str, verified: bool) -> None:
    tls = compiled(written(ca(), **fields)).table.backends[KEY].tls
    assert tls is not None
    assert (tls.server_name, tls.problem) == (name, "")
    assert (tls.context.verify_mode == ssl.CERT_REQUIRED, tls.context.check_hostname) == (verified, verified)
    assert "PRIVATE" not in repr(tls)
    assert "BEGIN" not in repr(tls)


# -- connections


@asynccontextmanager
async def endpoint(shown: Pair | None = None, script: Script | None = None) -> AsyncIterator[int]:
    """A server, of HTTPS unless told otherwise; its port."""
    context = server_context(shown.certificate, shown.key) if shown else None
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            await (script or answering(OK))(Wire(reader, writer))
        except (asyncio.IncompleteReadError, OSError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0.02)


@asynccontextmanager
async def encrypting(port: int, **fields: Any) -> AsyncIterator[World]:
    tls = reencryption(ReencryptPolicy(**fields), ca(), fields.get("server_name", NAME))
    async with relaying(protocol="http") as world:
        plan = replace(world.backend.plan, endpoints=(Endpoint("127.0.0.1", port),), tls=tls)
        world.backend.apply(plan)
        yield world


@pytest.mark.both_loops
async def test_requests_over_tls() -> None:
    async with endpoint(authority().sign(NAME)) as port, encrypting(port, ca_secret="ca") as world:
        wire = await world.connect()
        for _ in range(3):
            await wire.send(GET)
            assert (await wire.message())[1] == b"ok"
        assert len(next(iter(world.backend.endpoints.values())).connections) == 1, "it is kept"


FAULTS = {
    "another name": (authority().sign("other.example"), b"tls_certificate_error"),
    "expired": (authority().sign(NAME, first_day=-3, last_day=-1), b"tls_certificate_error"),
    "not yet": (authority().sign(NAME, first_day=1), b"tls_certificate_error"),
    "a stranger's": (Authority("stranger").sign(NAME), b"tls_certificate_error"),
}


@pytest.mark.both_loops
@pytest.mark.parametrize("case", FAULTS)
async def test_an_endpoint_that_is_not_who_it_should_be_is_sent_nothing(case: str) -> None:
    shown, error = FAULTS[case]
    async with endpoint(shown) as port, encrypting(port, ca_secret="ca") as world:
        wire = await world.connect()
        await wire.send(GET)
        head, _ = await wire.message()
        assert head.startswith(b"HTTP/1.1 502")
        assert b"error=" + error in head


async def test_unverified_is_as_the_policy_says() -> None:
    async with endpoint(Authority("stranger").sign("x.example")) as port, encrypting(port, verify=False) as world:
        wire = await world.connect()
        await wire.send(GET)
        assert (await wire.message())[1] == b"ok"


async def test_copies_go_over_tls_too() -> None:
    async with endpoint(authority().sign(NAME)) as port, encrypting(port, ca_secret="ca") as world:
        send_copy(world.proxy, world.backend, GET, bodiless=False)
        await until(lambda: not world.proxy.copies)
        assert world.stats.codes == {200: 1}


async def test_a_copy_is_never_sent_in_the_clear() -> None:
    begun: list[bytes] = []

    async def overhearing(wire: Wire) -> None:
        begun.append(await wire.exactly(1))

    async with endpoint(script=overhearing) as port, encrypting(port, ca_secret="ca") as world:
        send_copy(world.proxy, world.backend, GET, bodiless=False)
        await until(lambda: bool(begun))
        assert begun == [b"\x16"], "a handshake"


async def test_an_endpoint_that_speaks_no_tls() -> None:
    async with relaying() as plain, encrypting(plain.endpoints[0].port, ca_secret="ca") as world:
        wire = await world.connect()
        await wire.send(GET)
        head, _ = await wire.message()
        assert b"502" in head.split(b"\r\n")[0]


async def test_an_endpoint_that_does_not_shake_hands_is_given_up() -> None:
    async with endpoint(script=silent) as port, encrypting(port, ca_secret="ca") as world:
        timeouts = replace(world.backend.plan.timeouts, connect=0.1)
        world.backend.apply(replace(world.backend.plan, timeouts=timeouts))
        wire = await world.connect()
        await wire.send(GET)
        assert (await wire.message())[0].startswith(b"HTTP/1.1 504")


async def test_an_answer_without_length_that_is_cut_off_is_not_taken_for_whole() -> None:
    async def cutting(wire: Wire) -> None:
        await wire.message()
        await wire.send(b"HTTP/1.1 200 OK\r\n\r\nbegun")
        with wire.writer.get_extra_info("socket").dup() as line:
            line.shutdown(socket.SHUT_WR)  # no close_notify, as an attacker could
        await wire.reader.read()

    async with endpoint(authority().sign(NAME), cutting) as port, encrypting(port, ca_secret="ca") as world:
        wire = await world.connect()
        await wire.send(GET)
        await wire.rest()
        await until(lambda: world.stats.reasons == {"http_response_incomplete": 1})


async def test_when_the_policy_changes_the_old_connections_are_not_used() -> None:
    async with endpoint(authority().sign(NAME)) as port, encrypting(port, ca_secret="ca") as world:
        wire = await world.connect()
        await wire.send(GET)
        await wire.message()
        world.backend.apply(replace(world.backend.plan, tls=reencryption(ReencryptPolicy(), None, "other.example")))
        await wire.send(GET)
        assert (await wire.message())[0].startswith(b"HTTP/1.1 502")
