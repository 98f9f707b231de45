from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from config.resources.workloads import HTTPGetAction, HTTPHeader
from discovery.health import Finding, Outcome
from discovery.probes.http import REDIRECTS, Request, get, redirected, request
from tests.discovery.probes.servers import answering, serving

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
GOOD = Finding(Outcome.SUCCESS)


def lines(action: HTTPGetAction, host: str = "127.97.0.1", port: int = 8080) -> list[str]:
    return request(action, host, port).encoded().decode().removesuffix("\r\n\r\n").split("\r\n")


def test_the_request_by_default() -> None:
    assert lines(HTTPGetAction(port=80, path="/healthz?full=1")) == [
        "GET /healthz?full=1 HTTP/1.1",
        "Host: 127.97.0.1:8080",
        "Connection: close",
        "User-Agent: kube-probe/weft",
        "Accept: */*",
    ]


@pytest.mark.parametrize(
    ("case", "path", "target"),
    [
        ("no slash", "live", "/live"),
        ("empty", "", "/"),
        ("a space", "/a b", "/a%20b"),
        ("already quoted", "/a%20b", "/a%20b"),
        ("a fragment", "/a#b", "/a"),
        ("other letters", "/ü", "/%C3%BC"),
        ("an attempt to break out", "/a HTTP/1.1\r\nX: y", "/a%20HTTP/1.1%0D%0AX:%20y"),
    ],
)
def test_targets(case: str, path: str, target: str) -> None:
    assert request(HTTPGetAction(port=80, path=path), "127.97.0.1", 80).target == target, case


@pytest.mark.parametrize(
    ("case", "headers", "expected"),
    [
        ("a header of its own", [("X-A", "1")], {"X-A: 1", "User-Agent: kube-probe/weft", "Accept: */*"}),
        ("one header twice", [("X-A", "1"), ("X-A", "2")], {"X-A: 1", "X-A: 2"}),
        ("another user agent", [("user-agent", "me")], {"user-agent: me", "Accept: */*"}),
        ("no accept", [("Accept", "")], {"User-Agent: kube-probe/weft"}),
        ("another host", [("Host", "shop.example")], {"Host: shop.example"}),
        ("connection stays ours", [("Connection", "keep-alive")], {"Connection: close"}),
    ],
)
def test_headers(case: str, headers: list[tuple[str, str]], expected: set[str]) -> None:
    sent = lines(HTTPGetAction(port=80, http_headers=tuple(HTTPHeader(*each) for each in headers)))
    assert expected <= set(sent), case
    assert len({line.split(":")[0].lower() for line in sent} & {"user-agent", "accept", "host", "connection"}) >= 3
    assert sum(line.lower().startswith("connection") for line in sent) == 1
    assert sum(line.lower().startswith("host") for line in sent) == 1


def test_a_header_cannot_break_out_of_its_line() -> None:
    with pytest.raises(ValueError, match="line break"):
        lines(HTTPGetAction(port=80, http_headers=(HTTPHeader("X", "a\r\nY: b"),)))


@pytest.mark.parametrize(
    ("host", "port", "scheme", "field"),
    [
        ("127.97.0.1", 80, "HTTP", "127.97.0.1"),
        ("127.97.0.1", 443, "HTTPS", "127.97.0.1"),
        ("127.97.0.1", 443, "HTTP", "127.97.0.1:443"),
        ("::1", 8080, "HTTP", "[::1]:8080"),
        ("::1", 80, "HTTP", "[::1]"),
    ],
)
def test_host_field(host: str, port: int, scheme: str, field: str) -> None:
    assert f"Host: {field}" in lines(HTTPGetAction(port=80, scheme=scheme), host, port)  # type: ignore[arg-type]


FIRST = Request("http", "127.97.0.1", 8080, "/a/b", (HTTPHeader("Host", "shop"), HTTPHeader("X", "1")))


@pytest.mark.parametrize(
    ("case", "location", "expected"),
    [
        ("a path", "/c?d=1", FIRST._replace(target="/c?d=1")),
        ("a relative path", "c", FIRST._replace(target="/a/c")),
        ("the same host", "http://127.97.0.1:8080/c", FIRST._replace(target="/c", headers=FIRST.headers[1:])),
        ("no path", "http://127.97.0.1:8080", FIRST._replace(target="/", headers=FIRST.headers[1:])),
        (
            "another port and scheme of it",
            "https://127.97.0.1/c",
            FIRST._replace(scheme="https", port=443, target="/c", headers=FIRST.headers[1:]),
        ),
        ("another host", "http://shop.example/c", None),
        ("another host without a scheme", "//shop.example/c", None),
    ],
)
def test_redirects(case: str, location: str, expected: Request | None) -> None:
    assert redirected(FIRST, FIRST, location) == expected, case


@pytest.mark.parametrize("location", ["ftp://127.97.0.1/", "http://127.97.0.1:99999/", "http://[::1/"])
def test_redirects_to_nowhere(location: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  - of urllib or ours
        redirected(FIRST, FIRST, location)


@pytest.mark.parametrize(
    ("status", "finding"),
    [
        (200, GOOD),
        (204, GOOD),
        (302, GOOD),
        (399, GOOD),
        (400, Finding(Outcome.FAILURE, "HTTP 400")),
        (503, Finding(Outcome.FAILURE, "HTTP 503")),
    ],
)
@pytest.mark.both_loops
async def test_statuses(status: int, finding: Finding) -> None:
    async with serving(answering(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)) as port:
        assert await get(HTTPGetAction(port=port), "127.0.0.1", port) == finding


async def test_redirects_are_followed_on_the_same_host() -> None:
    seen: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        seen.append(head.split(b" ")[1])
        writer.write(b"HTTP/1.1 302 F\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n" if len(seen) == 1 else OK)

    async with serving(handle) as port:
        assert await get(HTTPGetAction(port=port, path="/a"), "127.0.0.1", port) == GOOD
    assert seen == [b"/a", b"/b"]


@pytest.mark.parametrize(
    ("location", "outcome", "reason"),
    [
        (b"http://localhost/x", Outcome.SUCCESS, "redirect to another host is not followed: http://localhost/x"),
        (b"/again", Outcome.FAILURE, f"stopped after {REDIRECTS} redirects"),
        (b"ftp://127.0.0.1/", Outcome.FAILURE, "redirect to nowhere: redirect to a ftp URL"),
    ],
)
async def test_redirects_that_are_not_followed(location: bytes, outcome: Outcome, reason: str) -> None:
    answer = b"HTTP/1.1 301 M\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n\r\n"
    async with serving(answering(answer)) as port:
        assert await get(HTTPGetAction(port=port), "127.0.0.1", port) == Finding(outcome, reason)


async def test_a_huge_body_is_not_read_to_its_end() -> None:
    sent = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(bytes(65536))
            await writer.drain()
            sent += 65536

    async with serving(handle) as port, asyncio.timeout(5):
        assert await get(HTTPGetAction(port=port), "127.0.0.1", port) == GOOD
    assert sent < 64 << 20


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for another name, with its key, in one file."""
    folder = tmp_path_factory.mktemp("tls")
    made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=other.example"]
    parts = ["-keyout", str(folder / "key"), "-out", str(folder / "certificate")]
    subprocess.run(["openssl", "req", "-x509", *made, *parts], check=True, capture_output=True)
    both = folder / "both"
    both.write_text((folder / "key").read_text() + (folder / "certificate").read_text())
    return both


@pytest.mark.both_loops
async def test_https_without_verification(certificate: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    seen: list[bytes] = []
    async with serving(answering(OK, seen), tls) as port:
        assert await get(HTTPGetAction(port=port, scheme="HTTPS"), "127.0.0.1", port) == GOOD
    assert seen[0].startswith(b"GET / HTTP/1.1\r\n")


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
async def test_nginx(tmp_path: Path) -> None:
    """A real server, over a redirect of its own making, chunked and compressed as it likes."""
    from tests.discovery.probes.nginx import running

    (tmp_path / "www/deep").mkdir(parents=True)
    (tmp_path / "www/deep/index.html").write_text("fine\n" * 5000)
    async with running(tmp_path, f"location / {{ root {tmp_path}/www; absolute_redirect off; }}") as port:
        assert await get(HTTPGetAction(port=port, path="/deep"), "127.0.0.1", port) == GOOD
        assert await get(HTTPGetAction(port=port, path="/none"), "127.0.0.1", port) == Finding(
            Outcome.FAILURE, "HTTP 404"
        )
