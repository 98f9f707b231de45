"""TLS at a real ``weft up``: who is shown what, certificates changed under traffic, passing through, re-encryption."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mesh.tls.context import server_context
from tests.certificates import Authority, Pair, authority, pair
from tests.scenarios.editing import Folder, reads, serving_of, wait_reload
from tests.scenarios.manifests import deployment, endpoint_slice, service
from tests.scenarios.weft import Answer, Weft, ask, wait_for

SHOP_HOSTS = ["shop.test", "*.shops.test"]
SHOP, EXPIRED = pair(*SHOP_HOSTS), authority().sign("old.test", first_day=-9, last_day=-2)
MISMATCHED = Pair(authority().sign("odd.test").certificate, authority().sign("odd.test").key)
BEHIND = Authority("of the endpoints")
DIRECT = BEHIND.sign("direct.test", "secure.default.svc")


def ingress(name: str, tls: list[dict[str, Any]], *hosts: str, to: str = "app") -> dict[str, Any]:
    backend = {"service": {"name": to, "port": {"name": "http"}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    return {
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name},
        "spec": {"tls": tls, "rules": [{"host": host, "http": {"paths": paths}} for host in hosts]},
    }  # fmt: skip


def policy(name: str, kind: str, target: str, **tls: object) -> dict[str, Any]:
    spec = {"targetRef": {"kind": kind, "name": target}, "tls": tls}
    return {"apiVersion": "weft.dev/v1", "kind": "TrafficPolicy", "metadata": {"name": name}, "spec": spec}


class Endpoint(BaseHTTPRequestHandler):
    """Says what it was sent."""

    def do_GET(self) -> None:
        body = f"direct {self.headers.get('X-Forwarded-Proto', '-')}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def https_endpoint() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    server.socket = server_context(DIRECT.certificate, DIRECT.key).wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return Folder(tmp_path_factory.mktemp("tls") / "manifests")


@pytest.fixture(scope="module")
def weft(folder: Folder) -> Iterator[Weft]:
    with https_endpoint() as port:
        folder.put("app", deployment("app", 1), service("app", app="app"))
        folder.put("secure", service("secure", {"http": 80}), endpoint_slice("secure", {"http": port}))
        folder.put("shop", SHOP.manifest("shop"))
        folder.put(
            "rest", EXPIRED.manifest("expired"), MISMATCHED.manifest("mismatched"),
            {
                "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "behind"},
                "stringData": {"ca.crt": BEHIND.certificate.decode()},
            },
            ingress("shop", [{"hosts": SHOP_HOSTS, "secretName": "shop"}], *SHOP_HOSTS),
            ingress("old", [{"hosts": ["old.test"], "secretName": "expired"}], "old.test"),
            ingress("odd", [{"hosts": ["odd.test"], "secretName": "mismatched"}], "odd.test"),
            ingress("lost", [{"hosts": ["lost.test"], "secretName": "nowhere"}], "lost.test"),
            ingress("direct", [{"hosts": ["direct.test"]}], "direct.test", to="secure"),
            ingress("inner", [{"hosts": ["inner.test"]}], "inner.test", to="secure"),
            policy("direct", "Ingress", "direct", passthrough=True),
            policy("shop", "Ingress", "shop", httpsRedirect=True),
            policy("secure", "Service", "secure", reencrypt={"caSecret": "behind"}),
        )  # fmt: skip
        with serving_of(folder) as started:
            yield started
            assert started.stop() == 0


def https(weft: Weft) -> tuple[str, int]:
    return weft.network.node, 8443


class Line:
    """One HTTPS connection."""

    def __init__(self, weft: Weft, name: str, context: ssl.SSLContext | None = None, host: str = "") -> None:
        plain = socket.create_connection(https(weft), 10)
        self.tls = (context or authority().client()).wrap_socket(plain, server_hostname=name)
        self.host = host or name

    def ask(self, path: str = "/") -> Answer:
        self.tls.sendall(f"GET {path} HTTP/1.1\r\nHost: {self.host}\r\n\r\n".encode())
        response = http.client.HTTPResponse(self.tls)  # type: ignore[arg-type]  # it only makes a file of it
        response.begin()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())

    def names(self) -> set[str]:
        return {str(value) for _, value in (self.tls.getpeercert() or {}).get("subjectAltName", ())}

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.tls.close()


def anybody() -> ssl.SSLContext:
    return authority().client(verify=False)


@pytest.mark.parametrize("name", ["shop.test", "a.shops.test"])
def test_requests(weft: Weft, name: str) -> None:
    with Line(weft, name) as line:
        assert [line.ask().status for _ in range(3)] == [200, 200, 200]
        assert line.names() == {"shop.test", "*.shops.test"}


def test_the_host_picks_the_route_whatever_the_name_was(weft: Weft) -> None:
    with Line(weft, "shop.test", host="nobody.test") as line:
        assert line.ask().status == 404
    with Line(weft, "shop.test", host="lost.test") as line:
        assert line.ask().status == 200


@pytest.mark.parametrize("name", ["nobody.test", "b.a.shops.test", "odd.test", "lost.test"])
def test_others_get_a_certificate_that_must_be_trusted_on_purpose(weft: Weft, name: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        Line(weft, name)
    with Line(weft, name, anybody()) as line:
        assert line.ask().status == (200 if name in ("odd.test", "lost.test") else 404)


def test_an_expired_certificate_is_shown_and_told(weft: Weft) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        Line(weft, "old.test")
    objects = weft.admin("/api/v1/config").json["objects"]
    reasons = {each["name"]: " ".join(each["status"]["reasons"]) for each in objects if each["kind"] == "Ingress"}
    assert "the certificate in Secret expired expired " in reasons["old"]
    assert "tls.key does not belong to the first certificate of tls.crt" in reasons["odd"]
    assert "there is no Secret nowhere" in reasons["lost"]
    assert reasons["shop"] == ""


def test_metrics(weft: Weft) -> None:
    page = weft.admin("/metrics").body.decode()
    assert 'weft_tls_certificate_not_after_seconds{namespace="default",secret="shop"}' in page
    assert 'secret="mismatched"' not in page
    with Line(weft, "shop.test"):
        wanted = 'weft_tls_handshakes_total{namespace="",service="ingress",port="https",kind="TLSv1.3 full"}'
        assert wanted in weft.admin("/metrics").body.decode()


def test_plain_http_is_told_where_to_go(weft: Weft) -> None:
    answer = ask(f"{weft.network.node}:8443", "/", host="shop.test")
    assert (answer.status, b"this port speaks TLS" in answer.body) == (400, True)


def test_the_redirect(weft: Weft) -> None:
    answer = ask(f"{weft.network.node}:8080", "/a?b=c", host="shop.test")
    assert (answer.status, answer.fields["location"]) == (308, "https://shop.test:8443/a?b=c")
    with Line(weft, "shop.test") as line:
        assert line.ask().status == 200


def test_passing_through(weft: Weft) -> None:
    with Line(weft, "direct.test", BEHIND.client()) as line:
        assert line.ask().body == b"direct -", "the endpoint shook hands itself"


def test_encrypting_to_the_endpoint(weft: Weft) -> None:
    with Line(weft, "inner.test", anybody()) as line:
        assert line.ask().body == b"direct https"
    assert ask(weft.address("secure")).body == b"direct http"


def test_a_certificate_changes_under_traffic(weft: Weft, folder: Folder) -> None:
    with Line(weft, "shop.test") as line:
        assert line.ask().status == 200
        before = reads(weft)
        folder.put("shop", authority().sign("shop.test", "new.test").manifest("shop"))
        wait_reload(weft, before)

        def shown() -> bool:
            with Line(weft, "shop.test") as other:
                return "new.test" in other.names()

        wait_for(shown, weft.told)
        assert line.ask().status == 200, "the connection that was there is as it was"


def anonymous_memory(weft: Weft) -> int:
    status = Path(f"/proc/{weft.process.pid}/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0]) * 1024


def test_memory_does_not_grow_with_handshakes(weft: Weft, size: Callable[[int, int], int]) -> None:
    contexts = [authority().client(maximum_version=each) for each in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)]

    def shake(times: int) -> None:
        for number in range(times):
            with Line(weft, "shop.test", contexts[number % 2]) as line:
                assert line.ask().status == 200

    shake(30)
    before, times = anonymous_memory(weft), size(200, 5000)
    shake(times)
    grown = anonymous_memory(weft) - before
    # What belongs to OpenSSL is 16 KiB each; the rest waits for the garbage collector, some 2,000 connections of it.
    assert grown < min(times * 5 * 1024, 8 * 1024 * 1024), f"{grown / times:.0f} bytes per handshake"


def test_no_key_is_told_to_anyone(weft: Weft) -> None:
    secrets = [line for each in (SHOP, EXPIRED, MISMATCHED) for line in each.key.decode().splitlines()[1:-1]]
    encoded = SHOP.manifest()["data"]["tls.key"][:64]
    told = weft.told() + "".join(
        weft.admin(path).body.decode() for path in ("/api/v1/config", "/metrics", "/api/v1/services", "/readyz")
    )
    assert "Secret" in told
    assert not [secret for secret in (*secrets, encoded) if secret in told]


def test_garbage_and_silence_touch_nobody_else(weft: Weft, tmp_path: Path) -> None:
    rude = [socket.create_connection(https(weft), 10) for _ in range(50)]
    for number, line in enumerate(rude):
        line.sendall([b"", b"\x16\x03\x01", b"\0" * 100, b"GET"][number % 4])
    with Line(weft, "shop.test") as line:
        assert line.ask().status == 200
    for each in rude:
        each.close()
