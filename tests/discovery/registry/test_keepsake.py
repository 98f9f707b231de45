"""A zone that goes into a file and comes back; what is no such file is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from discovery.registry.content import Content, content_of
from discovery.registry.keepsake import SLICE, keep, kept
from discovery.registry.wire import IN, TXT, A, Record, from_text, to_wire

ZONE = to_wire(from_text("endpoints.cluster.local"))


def zone(names: int, serial: int = 7) -> Content:
    made = []
    for number in range(names):
        name = to_wire(from_text(f"h{number}.endpoints.cluster.local"))
        made += [Record(name, A, IN, 5, number.to_bytes(4, "big")), Record(name, TXT, IN, 30, b"\7ready=1")]
    return content_of(ZONE, serial, made)


@pytest.mark.parametrize("names", [0, 1, SLICE, SLICE + 1])
async def test_it_comes_back(tmp_path: Path, names: int) -> None:
    content = zone(names)
    assert await keep(content, tmp_path / "copy") == 7
    found = kept(ZONE, tmp_path / "copy")
    assert found is not None
    assert found[0] == 7
    assert found[1] == content.nodes
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


async def test_a_later_one_takes_its_place(tmp_path: Path) -> None:
    await keep(zone(3), tmp_path / "copy")
    await keep(zone(1, serial=8), tmp_path / "copy")
    found = kept(ZONE, tmp_path / "copy")
    assert found is not None
    assert found == (8, zone(1).nodes)


async def test_what_is_not_whole_is_none(tmp_path: Path) -> None:
    path = tmp_path / "copy"
    assert kept(ZONE, path) is None
    await keep(zone(2), path)
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        assert kept(ZONE, path) is None
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes((whole[at] ^ 1,)) + whole[at + 1 :])
        assert kept(ZONE, path) is None
    path.write_bytes(whole)
    assert kept(to_wire(from_text("endpoints.other.local")), path) is None
