"""Families of the process itself, as /metrics writes them."""

from __future__ import annotations

from mesh.exposition import render
from sidecar import VERSION
from sidecar.families import Reloads, build_info


def test_reloads_are_counted_by_how_they_went() -> None:
    reloads = Reloads()
    for successful in (True, True, False):
        reloads.read(successful, at=1000.5)
    text = b"".join(render(reloads.families())).decode()
    assert 'weft_config_reloads_total{result="success"} 2\n' in text
    assert 'weft_config_reloads_total{result="failure"} 1\n' in text
    assert "weft_config_last_reload_successful 0\n" in text
    assert "weft_config_last_reload_timestamp_seconds 1000.5\n" in text


def test_looks_are_counted() -> None:
    reloads = Reloads()
    reloads.looked()
    reloads.looked()
    assert reloads.looks == 2


def test_build_info_says_the_version() -> None:
    text = b"".join(render([build_info()])).decode()
    assert f'version="{VERSION}"' in text
    assert text.endswith("} 1\n")
