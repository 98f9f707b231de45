"""openssl s_client and curl, as people use them, against TLS at an Ingress."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import authority, pair
from tests.interop.programs import needs, run
from tests.scenarios.manifests import deployment, service
from tests.scenarios.test_tls import ingress
from tests.scenarios.weft import Weft
from tests.scenarios.world import weft_up

pytestmark = [needs("openssl"), needs("curl")]


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trusted") / "ca.pem"
    path.write_bytes(authority().certificate)
    return path


@pytest.fixture(scope="module")
def weft(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weft]:
    with weft_up(
        tmp_path_factory.mktemp("tls"),
        deployment("app", 1),
        service("app", app="app"),
        pair("shop.test", "*.shop.test").manifest("shop"),
        ingress("shop", [{"hosts": ["shop.test", "*.shop.test"], "secretName": "shop"}], "shop.test", "*.shop.test"),
    ) as started:
        yield started


def s_client(weft: Weft, *options: str, said: bytes = b"") -> str:
    argv = ["openssl", "s_client", "-connect", f"{weft.network.node}:8443", *options]
    done = subprocess.run(argv, input=said, capture_output=True, timeout=30, check=False)
    return (done.stdout + done.stderr).decode(errors="replace")


@pytest.mark.parametrize(("option", "version"), [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")])
def test_versions(weft: Weft, trusted: Path, option: str, version: str) -> None:
    told = s_client(weft, option, "-servername", "shop.test", "-CAfile", str(trusted), "-alpn", "h2,http/1.1")
    assert f"New, {version}, Cipher is " in told
    assert "Verify return code: 0 (ok)" in told
    assert "ALPN protocol: http/1.1" in told


@pytest.mark.parametrize("option", ["-tls1", "-tls1_1"])
def test_older_versions_are_refused_with_an_alert(weft: Weft, option: str) -> None:
    told = s_client(weft, option, "-servername", "shop.test", "-cipher", "DEFAULT:@SECLEVEL=0")
    assert "alert protocol version" in told


def test_who_asks_for_no_name_gets_the_default_certificate(weft: Weft) -> None:
    assert "CN = default.weft.invalid" in s_client(weft, "-noservername")


@pytest.mark.parametrize("option", ["-tls1_2", "-tls1_3"])
def test_sessions_are_resumed(weft: Weft, tmp_path: Path, option: str) -> None:
    ticket, request = str(tmp_path / "session"), b"GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n"
    common = (option, "-servername", "shop.test", "-ign_eof")
    assert "New, TLS" in s_client(weft, *common, "-sess_out", ticket, said=request)
    assert "Reused, TLS" in s_client(weft, *common, "-sess_in", ticket, said=request)


def test_it_ends_with_close_notify(weft: Weft) -> None:
    request = b"GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n"
    told = s_client(weft, "-servername", "shop.test", "-quiet", "-ign_eof", "-msg", said=request)
    assert re.search(r"<<< .*Alert.*\n.*01 00", told), told[-2000:]


def curl(weft: Weft, *words: str, host: str = "shop.test") -> bytes:
    where = f"{host}:8443:{weft.network.node}"
    return run("curl", "--silent", "--show-error", "--max-time", "20", "--resolve", where, *words).stdout


def test_curl(weft: Weft, trusted: Path, tmp_path: Path) -> None:
    upload = tmp_path / "upload"
    upload.write_bytes(bytes(range(256)) * 8192)
    told = curl(
        weft, "--cacert", str(trusted), "--fail", "--data-binary", f"@{upload}", "--write-out", "\n%{http_code}",
        "https://shop.test:8443/",
    )  # fmt: skip
    assert told.endswith(b"\n200")


def test_curl_uses_its_connection_again(weft: Weft, trusted: Path) -> None:
    urls = ["--output", "/dev/null", "https://a.shop.test:8443/"] * 4
    told = curl(weft, "--cacert", str(trusted), "--write-out", "%{num_connects}\n", *urls, host="a.shop.test")
    assert told.split() == [b"1", b"0", b"0", b"0"]


def test_curl_that_trusts_anybody_is_answered_404(weft: Weft) -> None:
    told = curl(weft, "--insecure", "--write-out", "%{http_code}", f"https://{weft.network.node}:8443/")
    assert told.endswith(b"404")
