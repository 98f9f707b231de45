"""What only shows in a running weft: refusing fast, hosts and certificates, bounds of heads, metrics, the log."""

from __future__ import annotations

import http.client
import json
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from config.settings import NodeConfigSpec
from tests.certificates import authority, pair
from tests.conformance.entrance import ingress
from tests.scenarios.manifests import endpoint_slice, service
from tests.scenarios.weft import Answer, Network, Weft, ask, running, wait_for

NOT_HERE = (
    ("HSTS by default, session tickets off (ingress-nginx)", "HSTS by headers.response.set; tickets spare handshakes"),
    ("a limit of 1 MiB for bodies (ingress-nginx)", "none unless maxRequestBytes says so: bodies are not kept"),
    ("fields with an underscore refused", "handed on, but for X_Forwarded_*, which is taken out"),
    ("passing sockets to the next process", "comes with several workers; SIGTERM drains"),
)


class Web(socketserver.StreamRequestHandler):
    """Answers every request with 200."""

    def handle(self) -> None:
        while (line := self.rfile.readline()) and line != b"\r\n":
            pass
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")


class Banner(socketserver.BaseRequestHandler):
    """Speaks first, as mail servers and databases do."""

    def handle(self) -> None:
        self.request.sendall(b"220 welcome\r\n")


class Echo(socketserver.BaseRequestHandler):
    """Sends datagrams back."""

    def handle(self) -> None:
        data, sock = self.request
        sock.sendto(data, self.client_address)


@contextmanager
def serving(kind: Any, handler: type[socketserver.BaseRequestHandler]) -> Iterator[int]:
    """The port of a server of this kind."""
    with kind(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def of(name: str, port: dict[str, Any], **spec: Any) -> dict[str, Any]:
    made = service(name)
    made["spec"] |= {"ports": [port], **spec}
    return made


def manifests(network: Network, web: int, banner: int, echo: int) -> list[dict[str, Any]]:
    http_port = {"name": "http", "port": 8080}
    secrets = [pair(f"{name}.test").manifest(name) for name in ("one", "two")]
    entries = [{"hosts": [f"{name}.test"], "secretName": name} for name in ("one", "two")]
    nobody = endpoint_slice("empty", {"http": web})
    nobody["endpoints"][0]["conditions"] = {"ready": False}
    datagrams = endpoint_slice("datagrams", {"dns": echo})
    datagrams["ports"][0]["protocol"] = "UDP"
    return [
        *secrets,
        of("web", http_port), endpoint_slice("web", {"http": web}),
        of("empty", http_port), nobody,
        of("hollow", {"name": "db", "port": 5432, "appProtocol": "tcp"}),
        of("guarded", {"name": "http", "port": 8090}, type="LoadBalancer", loadBalancerSourceRanges=["192.0.2.0/24"]),
        endpoint_slice("guarded", {"http": web}),
        of("banner", {"name": "mail", "port": 8025}), endpoint_slice("banner", {"mail": banner}),
        of("datagrams", {"name": "dns", "port": 8053, "protocol": "UDP"}), datagrams,
        ingress("Prefix one.test/ web", "Exact two.test/secret web", "Prefix two.test/gone empty", tls=entries),
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "broken"}, "spec": {"prots": []}},
        {
            "apiVersion": "weft.dev/v1", "kind": "TrafficPolicy", "metadata": {"name": "web"},
            "spec": {"targetRef": {"kind": "Service", "name": "web"}, "upgrades": ["websocket"]},
        },
        network.node_config({}, accessLog=True),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def weft(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weft]:
    network, folder = Network.random(), tmp_path_factory.mktemp("conformance") / "manifests"
    folder.mkdir()
    with ExitStack() as servers:
        ports = [
            servers.enter_context(serving(kind, handler))
            for kind, handler in (
                (socketserver.ThreadingTCPServer, Web),
                (socketserver.ThreadingTCPServer, Banner),
                (socketserver.UDPServer, Echo),
            )
        ]
        items = {"apiVersion": "v1", "kind": "List", "items": manifests(network, *ports)}
        (folder / "all.json").write_text(json.dumps(items))
        with running(folder, network) as started:
            yield started
            assert started.stop() == 0
        assert "Traceback" not in started.told()


def dial(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), 5)


def at_ingress(weft: Weft, host: str, path: str = "/") -> Answer:
    return ask(f"{weft.network.node}:8080", path, Host=host)


# -- refusing


def test_http_to_a_service_without_endpoints_is_refused_at_once_and_told_why(weft: Weft) -> None:
    began = time.monotonic()
    said = ask(weft.address("empty"))
    assert time.monotonic() - began < 2
    assert (said.status, "destination_unavailable" in said.fields["proxy-status"]) == (503, True)


def test_tcp_to_a_service_without_endpoints_is_refused_at_once(weft: Weft) -> None:
    with pytest.raises(ConnectionResetError), dial(weft.address("hollow")) as client:
        client.recv(1)


def test_another_port_of_a_cluster_ip_is_refused(weft: Weft) -> None:
    host, _, port = weft.address("web").rpartition(":")
    with pytest.raises(ConnectionRefusedError):
        dial(f"{host}:{int(port) + 1}")


def test_source_ranges_refuse_before_anything_is_read(weft: Weft) -> None:
    with pytest.raises(ConnectionResetError), dial(f"{weft.network.node}:8090") as client:
        client.recv(1)
    assert ask(weft.address("guarded")).status == 200, "at the ClusterIP they do not hold"


def test_a_bad_object_disables_only_itself(weft: Weft) -> None:
    assert "prots" in weft.told()
    names = {each["name"] for each in weft.admin("/api/v1/services").json["services"]}
    assert "broken" not in names
    assert ask(weft.address("web")).status == 200


# -- what is carried


def test_a_server_that_speaks_first_need_not_be_declared(weft: Weft) -> None:
    """Linkerd waits ten seconds for the client."""
    began = time.monotonic()
    with dial(weft.address("banner")) as client:
        assert client.recv(100) == b"220 welcome\r\n"
    assert time.monotonic() - began < 3


def test_datagrams(weft: Weft) -> None:
    host, _, port = weft.address("datagrams").rpartition(":")
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.sendto(b"hello", (host, int(port)))
        assert client.recvfrom(100)[0] == b"hello"


# -- Ingress

HOSTS = {
    "the port of Host takes no part": ("one.test:9999", "/", 200),
    "nor does its case": ("ONE.test", "/", 200),
    "an unmatched path": ("two.test", "/other", 404),
    "an unmatched host": ("three.test", "/", 404),
    "a matched rule without endpoints": ("two.test", "/gone", 503),
    "its sibling": ("two.test", "/secret", 200),
}


@pytest.mark.parametrize("case", HOSTS)
def test_hosts(weft: Weft, case: str) -> None:
    host, path, status = HOSTS[case]
    assert at_ingress(weft, host, path).status == status


def test_the_404_says_what_was_looked_for_and_nothing_of_what_is_served(weft: Weft) -> None:
    page = at_ingress(weft, "two.test", "/other").body.decode()
    assert "two.test" in page
    assert "/other" in page
    assert not [word for word in ("secret", "one.test", "web", "default") if word in page]


def over_tls(weft: Weft, name: str, host: str, path: str = "/") -> tuple[set[str], int]:
    """Names of the certificate that is shown for `name`, and the status of a request to `host`."""
    plain = socket.create_connection((weft.network.node, 8443), 5)
    with authority().client().wrap_socket(plain, server_hostname=name) as tls:
        tls.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        response = http.client.HTTPResponse(tls)
        response.begin()
        certificate: Any = tls.getpeercert()
        return {value for _, value in certificate["subjectAltName"]}, response.status


def test_the_server_name_picks_the_certificate_and_the_host_the_route(weft: Weft) -> None:
    assert over_tls(weft, "one.test", "one.test") == ({"one.test"}, 200)
    assert over_tls(weft, "two.test", "one.test") == ({"two.test"}, 200)
    assert over_tls(weft, "one.test", "two.test") == ({"one.test"}, 404)


@pytest.mark.parametrize(
    ("version", "spoken"),
    [(ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)],
    ids=["1.1", "1.2", "1.3"],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_versions_of_tls(weft: Weft, version: ssl.TLSVersion, spoken: bool) -> None:
    context = authority().client()
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with socket.create_connection((weft.network.node, 8443), 5) as plain, ExitStack() as expected:
        if not spoken:
            expected.enter_context(pytest.raises(ssl.SSLError))
        context.wrap_socket(plain, server_hostname="one.test").close()


# -- bounds

TOO_LARGE = {
    "over 100 fields": ("/", "X: y\r\n" * 101, 431),
    "a head over 64 KiB": ("/", "".join(f"X-{number}: {'y' * 7000}\r\n" for number in range(10)), 431),
    "a target over 16 KiB": ("/" + "a" * 16_384, "", 414),
    "100 fields in all are taken": ("/", "X: y\r\n" * 99, 200),
}


@pytest.mark.parametrize("case", TOO_LARGE)
def test_heads_are_bounded(weft: Weft, case: str) -> None:
    target, fields, status = TOO_LARGE[case]
    with dial(weft.address("web")) as client:
        client.sendall(f"GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode())
        assert int(client.recv(100).split()[1]) == status


# -- what is told


def test_admin_listens_on_loopback_unless_told_otherwise() -> None:
    assert NodeConfigSpec().admin.startswith("127.0.0.1:")


def test_the_metrics_page(weft: Weft) -> None:
    ask(weft.address("web"))
    page = weft.admin("/metrics").body.decode()
    assert page.endswith("\n")
    families = list(text_string_to_metric_families(page))
    assert len({family.name for family in families}) == len(families), "TYPE comes once, before all samples of a family"
    assert all(family.type != "unknown" for family in families)
    durations = next(family for family in families if family.name == "weft_http_request_duration_seconds")
    of_web = [sample for sample in durations.samples if sample.labels.get("service") == "web"]
    [last] = [sample.value for sample in of_web if sample.labels.get("le") == "+Inf"]
    [count] = [sample.value for sample in of_web if sample.name.endswith("_count")]
    assert last == count > 0


def test_how_long_changes_take_to_come_in_force(weft: Weft) -> None:
    """As kube-proxy tells it."""
    page = weft.admin("/metrics").body.decode()
    families = {family.name: family for family in text_string_to_metric_families(page)}
    assert families["weft_network_programming_duration_seconds"].type == "histogram"


def test_the_access_log_says_why(weft: Weft) -> None:
    ask(weft.address("empty"), "/why")

    def logged() -> list[dict[str, Any]]:
        lines = [line for line in Path(weft.out).read_text().splitlines() if line.startswith("{")]
        return [record for line in lines if (record := json.loads(line)).get("target") == "/why"]

    [record] = wait_for(logged)
    assert (record["status"], record["reason"], record["service"]) == (503, "destination_unavailable", "empty")


def test_readiness_is_told(weft: Weft) -> None:
    assert weft.admin("/readyz").status == 200
