"""HTTP on its way: who is believed, redirects, rewrites, edits, splits, mirrors; what speaks what."""

from __future__ import annotations

from collections import Counter

import pytest

from config.filters import (
    AccessPolicy,
    HeaderEdits,
    HeaderPolicy,
    MirrorPolicy,
    RedirectPolicy,
    RewritePolicy,
    SplitTarget,
    TracePolicy,
)
from mesh.detect import detect
from mesh.table import Entry
from tests.conformance.entrance import compiled
from tests.conformance.filtering import Around, filters
from tests.mesh.dialogue import GET, OK, Wire, answering, get, mesh
from tests.scenarios.manifests import service

NOT_HERE = (
    ("routing by header, query and method", "of HTTPRoute, which comes later; Ingress has none"),
    ("Traefik's priorities by length of a rule", "Kubernetes' precedence, and `weft explain`"),
    ("gRPC and HTTP/2 by request", "relayed as TCP, balanced by connection"),
    ("HTTP/3", "no QUIC"),
    ("ACME, workload mTLS, identities", "certificates come in Secrets; identities come later"),
    ("transparent capture", "clients dial ClusterIPs and names; capture comes later"),
)

CLAIMS = (
    "X-Forwarded-For: 192.0.2.7",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: claimed",
    "X_Forwarded_For: 192.0.2.7",
)
BELIEVED: dict[str, tuple[Entry, str, bool]] = {
    "at a NodePort: nobody": ("NodePort", "", False),
    "at a LoadBalancer: nobody": ("LoadBalancer", "", False),
    "at an Ingress: nobody": ("Ingress", "", False),
    "a trusted proxy": ("Ingress", "127.0.0.0/8", True),
    "not who is no trusted proxy": ("Ingress", "10.0.0.0/8", False),
    "at a ClusterIP, which is inside: everybody": ("ClusterIP", "", True),
}


@pytest.mark.parametrize("case", BELIEVED)
async def test_whose_forwarding_fields_are_believed(case: str) -> None:
    entry, trusted, believed = BELIEVED[case]
    async with mesh(answering(OK), entry=entry, trusted=trusted) as world:
        await world.ask(get("/", *CLAIMS))
        [head] = world.endpoints[0].heads
    told = b"192.0.2.7, 127.0.0.1" if believed else b"127.0.0.1"
    assert b"\r\nX-Forwarded-For: %b\r\n" % told in head
    assert b"\r\nX-Forwarded-Proto: %b\r\n" % (b"https" if believed else b"http") in head
    assert (b"claimed" in head) == believed
    assert b"X_Forwarded_For" not in head, "some servers take it for the other spelling"


@pytest.mark.parametrize(
    ("entry", "trusted", "status"), [("NodePort", "", 403), ("ClusterIP", "", 403), ("Ingress", "127.0.0.0/8", 200)]
)
async def test_only_a_trusted_proxy_says_for_whom_it_asks(entry: Entry, trusted: str, status: int) -> None:
    allowed = filters(access=AccessPolicy(allow=("192.0.2.0/24",)))
    async with mesh(answering(OK), entry=entry, trusted=trusted, filters=allowed) as world:
        assert (await world.ask(get("/", *CLAIMS))).startswith(b"HTTP/1.1 %d " % status)


# -- redirects and rewrites

REDIRECTS: dict[str, tuple[RedirectPolicy, str, str, int, bytes]] = {
    "302 unless said otherwise": (RedirectPolicy(host="b"), "/x", "", 302, b"http://b/x"),
    "a scheme brings its port": (RedirectPolicy(scheme="https"), "/x", "", 302, b"https://a/x"),
    "the whole path": (RedirectPolicy(path="/y"), "/x?q", "", 302, b"http://a/y?q"),
    "a prefix that the rule matched": (RedirectPolicy(prefix="/y"), "/x/z", "/x", 302, b"http://a/y/z"),
    "all of the path stripped leaves /": (RedirectPolicy(prefix="/"), "/x", "/x", 302, b"http://a/"),
    "a prefix stripped": (RedirectPolicy(prefix="/"), "/x/z", "/x", 302, b"http://a/z"),
    "308 keeps the method": (RedirectPolicy(status=308, host="b"), "/x", "", 308, b"http://b/x"),
}


@pytest.mark.parametrize("case", REDIRECTS)
async def test_redirects(case: str) -> None:
    policy, target, matched, status, location = REDIRECTS[case]
    async with mesh(answering(OK), filters=filters(matched=matched, redirect=policy)) as world:
        said = await world.ask(get(target))
        assert said.startswith(b"HTTP/1.1 %d " % status)
        assert b"\r\nLocation: %b\r\n" % location in said
        assert not world.endpoints[0].heads


REWRITES: dict[str, tuple[RewritePolicy, str, str, bytes]] = {
    "all of the path stripped leaves /": (RewritePolicy(prefix="/"), "/x", "/x", b"/"),
    "a prefix stripped": (RewritePolicy(prefix="/"), "/x/y?q", "/x", b"/y?q"),
    "a prefix replaced": (RewritePolicy(prefix="/n"), "/x/y", "/x", b"/n/y"),
    "a prefix that ends with a slash": (RewritePolicy(prefix="/n/"), "/x/y", "/x", b"/n/y"),
    "the whole path, and the query stays": (RewritePolicy(path="/n"), "/x/y?q", "/x", b"/n?q"),
    "without a policy the client's own spelling": (RewritePolicy(host="b"), "/x/../%7e", "", b"/x/../%7e"),
}


@pytest.mark.parametrize("case", REWRITES)
async def test_rewrites(case: str) -> None:
    policy, target, matched, expected = REWRITES[case]
    async with mesh(answering(OK), filters=filters(matched=matched, rewrite=policy)) as world:
        assert (await world.ask(get(target))).startswith(b"HTTP/1.1 200 ")
        assert world.endpoints[0].heads[0].split()[1] == expected


async def test_header_edits_both_ways() -> None:
    edits = HeaderPolicy(
        HeaderEdits(set={"X-Set": "1"}, add={"X-Add": "2"}, remove=("X-Gone",)), HeaderEdits(set={"X-Back": "3"})
    )
    async with mesh(answering(OK), filters=filters(headers=edits)) as world:
        said = await world.ask(get("/", "x-set: 0", "X-Add: 0", "x-gone: 0"))
        [head] = world.endpoints[0].heads
        assert b"\r\nX-Back: 3\r\n" in said
        assert b"x-gone" not in head
        assert b"x-set: 0" not in head
        assert b"\r\nX-Set: 1\r\n" in head
        assert (head.count(b"\r\nX-Add: "), b"\r\nX-Add: 2\r\n" in head) == (2, True)


async def test_a_weighted_split_shares_by_weight() -> None:
    chances = iter([each / 100 for each in range(100)])
    made = filters(chance=lambda: next(chances), split=(SplitTarget("old", weight=3), SplitTarget("new")))
    found = Counter(backend.key.service for _ in range(100) if (backend := made.backend()))
    assert found == {"old": 75, "new": 25}


async def test_a_mirror_gets_a_copy_and_its_answer_is_thrown_away() -> None:
    around = Around()
    made = filters(around, mirror=MirrorPolicy("copy"))
    async with mesh(answering(OK), answering(OK.replace(b"200", b"500")), filters=made) as world:
        around.fill("copy", world, 1)
        assert (await world.ask(get("/x"))).startswith(b"HTTP/1.1 200 ")
        await world.wait(lambda: bool(world.endpoints[1].heads))
        assert world.endpoints[1].heads[0].split()[1] == b"/x"


TRACED = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_a_trace_is_passed_on_and_begun_when_asked() -> None:
    async with mesh(answering(OK)) as world:
        await world.ask(get("/", TRACED))
        await world.ask(GET)
        first, second = world.endpoints[0].heads
        assert TRACED.encode() in first
        assert b"traceparent" not in second
    async with mesh(answering(OK), filters=filters(trace=TracePolicy())) as world:
        await world.ask(GET)
        await world.ask(get("/", TRACED))
        first, second = world.endpoints[0].heads
        assert b"\r\ntraceparent: 00-" in first
        assert TRACED.encode() in second


async def test_endpoints_are_told_of_the_client_by_the_proxy_protocol() -> None:
    told = []

    async def endpoint(wire: Wire) -> None:
        told.append(await wire.until(b"\r\n"))
        await wire.message()
        await wire.send(OK)

    async with mesh(endpoint, send_proxy="v1") as world:
        assert (await world.ask(GET)).startswith(b"HTTP/1.1 200 ")
        assert [line.split()[:4] for line in told] == [[b"PROXY", b"TCP4", b"127.0.0.1", b"127.0.0.1"]]


async def test_who_drains_says_so() -> None:
    async with mesh(answering(OK)) as world:
        world.proxy.draining = True
        assert b"\r\nConnection: close\r\n" in await world.ask(GET)


# -- what speaks what

SPOKEN = {
    "a request": (b"GET / HTTP/1.1\r\n", "http"),
    "an unknown method": (b"BREW /pot HTTP/1.1\r\n", "http"),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "http2"),
    "TLS": (b"\x16\x03\x01\x02\x00", "tls"),
    "Redis": (b"*1\r\n$4\r\nPING\r\n", "tcp"),
    "memcached": (b"get key\r\n", "tcp"),
    "SIP": (b"OPTIONS sip:a@b SIP/2.0\r\n", "tcp"),
    "PostgreSQL": (b"\0\0\0\x08\x04\xd2\x16\x2f", "tcp"),
    "the beginning of a request": (b"GE", "more"),
}


@pytest.mark.parametrize("case", SPOKEN)
def test_what_is_told_from_the_first_bytes(case: str) -> None:
    data, expected = SPOKEN[case]
    assert detect(data) == expected


DECLARED: dict[str, tuple[dict[str, str], str]] = {
    "appProtocol http": ({"name": "web", "appProtocol": "http"}, "http"),
    "appProtocol of WebSockets": ({"name": "web", "appProtocol": "kubernetes.io/ws"}, "http"),
    "appProtocol of HTTP/2 without TLS": ({"name": "web", "appProtocol": "kubernetes.io/h2c"}, "tcp"),
    "appProtocol before the name": ({"name": "http", "appProtocol": "tcp"}, "tcp"),
    "the beginning of the name": ({"name": "http-web"}, "http"),
    "a name whose server may speak first": ({"name": "smtp"}, "tcp"),
    "gRPC": ({"name": "grpc"}, "tcp"),
    "nothing: the first bytes are looked at": ({"name": "web"}, "detect"),
}


@pytest.mark.parametrize("case", DECLARED)
def test_what_is_declared_is_not_detected(case: str) -> None:
    port, expected = DECLARED[case]
    web = service("web")
    web["spec"]["ports"] = [{"port": 80, **port}]
    listeners = compiled(web).table.listeners.values()
    assert [each.protocol for each in listeners if each.route.backend.key.service == "web"] == [expected]
