"""nginx as the endpoint: files, chunked and compressed as it likes, with keep-alive and without."""

from __future__ import annotations

import asyncio
import gzip
import hashlib

import pytest

from tests.interop.conftest import Site
from tests.interop.programs import needs
from tests.scenarios.weft import Weft, ask
from tests.scenarios.world import all_well, load

pytestmark = needs("nginx")

SERVICES = ("files", "short-files")


@pytest.mark.parametrize("service", SERVICES)
def test_a_large_file_is_byte_exact(service: str, weft: Weft, site: Site) -> None:
    answer = ask(weft.address(service), "/large.bin")
    assert answer.status == 200
    assert hashlib.sha256(answer.body).hexdigest() == site.large_sha256


@pytest.mark.parametrize("service", SERVICES)
def test_compressed_on_the_way_it_is_chunked(service: str, weft: Weft, site: Site) -> None:
    answer = ask(weft.address(service), "/text.txt", accept_encoding="gzip")
    assert answer.fields["content-encoding"] == "gzip"
    assert answer.fields["transfer-encoding"] == "chunked"
    assert gzip.decompress(answer.body) == site.text


def test_a_part_of_a_file(weft: Weft, site: Site) -> None:
    answer = ask(weft.address("files"), "/text.txt", range="bytes=100-199")
    assert (answer.status, answer.body) == (206, site.text[100:200])
    assert answer.fields["content-range"] == f"bytes 100-199/{len(site.text)}"


def test_not_modified(weft: Weft) -> None:
    tag = ask(weft.address("files"), "/large.bin", "HEAD").fields["etag"]
    answer = ask(weft.address("files"), "/large.bin", if_none_match=tag)
    assert (answer.status, answer.body) == (304, b"")


def test_redirects_and_errors_are_the_endpoints_own(weft: Weft) -> None:
    moved = ask(weft.address("files"), "/to", Host="shop.example")
    assert (moved.status, moved.fields["location"]) == (302, "http://shop.example/text.txt")
    missing = ask(weft.address("files"), "/none")
    assert missing.status == 404
    assert "proxy-status" not in missing.fields
    assert missing.fields["server"].startswith("nginx")


@pytest.mark.parametrize("service", SERVICES)
async def test_under_load(service: str, weft: Weft) -> None:
    address = weft.address(service)
    reports = await asyncio.gather(
        load(address, "/large.bin", rate=20, seconds=1.0, connections=4),
        load(address, "/text.txt", rate=200, seconds=1.0),
    )
    assert all(map(all_well, reports)), reports
