"""HAProxy and curl, whose protocol it is, in front of weft: the PROXY protocol in both versions."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import authority, pair
from tests.interop.programs import accepts, free_ports, needs, run
from tests.scenarios.editing import Folder, ports, serving_of
from tests.scenarios.manifests import deployment, policy, service
from tests.scenarios.test_tls import ingress
from tests.scenarios.weft import Weft, wait_for

pytestmark = [needs("haproxy"), needs("curl")]

CLIENT = "127.0.0.77"
"""HAProxy and curl without a wish connect from another address."""
CONFIG = """
global
  stats socket %(folder)s/stats mode 600
defaults
  mode tcp
  timeout connect 5s
  timeout client 20s
  timeout server 20s
"""
LISTEN = """
listen %(name)s
  bind 127.0.0.1:%(port)d
  server weft %(address)s %(how)s check inter 100ms
"""
LOOKING_ONLY, SAYING_WHO = "send-proxy no-check-send-proxy", "send-proxy-v2 check-send-proxy"


@pytest.fixture(scope="module")
def weft(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weft]:
    folder = Folder(tmp_path_factory.mktemp("haproxy") / "manifests")
    folder.node(
        accessLog=True,
        ingress={
            "http": f"{folder.network.node}:8080",
            "https": f"{folder.network.node}:8443",
            "proxyProtocol": {"acceptFrom": ["127.0.0.1"]},
        },
    )
    folder.put(
        "all",
        deployment("app", 1),
        service("app", {"http": 8080, "tcp": 9090}, app="app"),
        service("other", {"http": 8080}, app="app"),
        policy("app", proxyProtocol={"acceptFrom": ["127.0.0.0/8"]}),
        policy("other", proxyProtocol={"acceptFrom": ["127.254.0.0/16"]}),
        pair("shop.test").manifest("shop"),
        ingress("shop", [{"hosts": ["shop.test"], "secretName": "shop"}], "shop.test"),
    )
    with serving_of(folder) as started:
        yield started
        assert started.stop() == 0


@contextmanager
def haproxy(folder: Path, listens: dict[str, tuple[str, str]]) -> Iterator[dict[str, int]]:
    """HAProxy in front of addresses; by name: the address, and how its server is spoken to."""
    chosen = dict(zip(listens, free_ports(len(listens)), strict=True))
    text = CONFIG % {"folder": folder}
    for name, (address, how) in listens.items():
        text += LISTEN % {"name": name, "port": chosen[name], "address": address, "how": how}
    path = folder / "haproxy.cfg"
    path.write_text(text)
    with (folder / "haproxy.log").open("wb") as log:
        process = subprocess.Popen(["haproxy", "-db", "-f", str(path)], stdout=log, stderr=log)
    try:
        wait_for(lambda: process.poll() is not None or all(map(accepts, chosen.values())))
        assert process.poll() is None, (folder / "haproxy.log").read_text()
        yield chosen
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def front(weft: Weft, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    served, node = ports(weft, "app"), weft.network.node
    with haproxy(
        tmp_path_factory.mktemp("front"),
        {
            "v1": (served["http"], LOOKING_ONLY),
            "v2": (served["http"], SAYING_WHO),
            "v2-ssl": (served["http"], "send-proxy-v2-ssl-cn"),
            "tcp-v1": (served["tcp"], LOOKING_ONLY),
            "tcp-v2": (served["tcp"], SAYING_WHO),
            "plain": (f"{node}:8080", SAYING_WHO),
            "tls": (f"{node}:8443", SAYING_WHO),
            "distrusted": (ports(weft, "other")["http"], "send-proxy"),
        },
    ) as chosen:
        yield chosen


def curl(*words: str) -> bytes:
    return run("curl", "--silent", "--show-error", "--fail", "--max-time", "30", *words).stdout


def forwarded(seen: bytes) -> str:
    lines = json.loads(seen)["lines"]
    return next(line.partition(": ")[2] for line in lines if line.lower().startswith("x-forwarded-for: "))


@pytest.mark.parametrize("name", ["v1", "v2", "v2-ssl"])
def test_http(weft: Weft, front: dict[str, int], name: str) -> None:
    seen = curl("--interface", CLIENT, f"http://127.0.0.1:{front[name]}/of-{name}")
    assert forwarded(seen) == CLIENT
    lines = wait_for(lambda: [line for line in weft.out.read_text().splitlines() if f"/of-{name}" in line])
    assert json.loads(lines[0])["client"] == CLIENT


@pytest.mark.parametrize("name", ["tcp-v1", "tcp-v2"])
def test_tcp(front: dict[str, int], name: str) -> None:
    with socket.create_connection(("127.0.0.1", front[name]), 10, source_address=(CLIENT, 0)) as line:
        for _ in range(3):
            line.sendall(b"hello\n")
            assert line.recv(100) == b"hello\n"


def test_an_ingress_with_and_without_tls(front: dict[str, int], tmp_path: Path) -> None:
    trusted = tmp_path / "ca.pem"
    trusted.write_bytes(authority().certificate)
    for scheme, name in (("http", "plain"), ("https", "tls")):
        seen = curl(
            "--interface", CLIENT, "--cacert", str(trusted), "--connect-to", f"shop.test::127.0.0.1:{front[name]}",
            f"{scheme}://shop.test/",
        )  # fmt: skip
        assert forwarded(seen) == CLIENT
        assert f"X-Forwarded-Proto: {scheme}" in json.loads(seen)["lines"]


def test_haproxys_checks_pass_and_are_no_errors(weft: Weft, front: dict[str, int], tmp_path_factory: Any) -> None:
    folder = next(Path(tmp_path_factory.getbasetemp()).glob("front*"))

    def checked() -> list[str]:
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(folder / "stats"))
            line.sendall(b"show stat\n")
            rows = [row.split(",") for row in line.makefile().read().splitlines() if row]
        return [row[rows[0].index("check_status")] for row in rows if row[1] == "weft"]

    wait_for(lambda: checked() == ["L4OK"] * len(front), lambda: str(checked()))
    page = weft.admin("/metrics").body.decode()
    assert 'reason="proxy_protocol_error"' not in page
    assert "weft_" in page


def test_whom_nobody_trusts(front: dict[str, int]) -> None:
    words = ("curl", "--silent", "--include", "--max-time", "30", f"http://127.0.0.1:{front['distrusted']}/")
    done = subprocess.run(words, capture_output=True, timeout=60, check=False)
    assert done.stdout.startswith(b"HTTP/1.1 400 ")


def test_curl_begins_with_a_header(weft: Weft, tmp_path: Path) -> None:
    trusted = tmp_path / "ca.pem"
    trusted.write_bytes(authority().certificate)
    assert forwarded(curl("--haproxy-protocol", f"http://{ports(weft, 'app')['http']}/")) == "127.0.0.1"
    to = ("--connect-to", f"shop.test::{weft.network.node}:8443", "--cacert", str(trusted), "https://shop.test/")
    seen = curl("--haproxy-protocol", "--interface", "127.0.0.1", *to)
    assert forwarded(seen) == "127.0.0.1"
    assert curl("--interface", CLIENT, *to), "nobody else has to"


def test_who_is_trusted_and_says_nothing_is_refused_and_counted(weft: Weft) -> None:
    words = ("curl", "--silent", "--max-time", "30", f"http://{ports(weft, 'app')['http']}/")
    done = subprocess.run(words, capture_output=True, timeout=60, check=False)
    assert done.returncode in (52, 56), "no answer, or a reset"
    wait_for(lambda: "proxy_protocol_error" in weft.admin("/metrics").body.decode())
    assert weft.told().count("PROXY protocol header") == 1
