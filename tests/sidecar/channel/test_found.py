from __future__ import annotations

from pathlib import Path

from config.configset import ConfigSet
from config.loader import load_text
from config.meta import ObjectKey
from sidecar.channel.found import Found
from sidecar.channel.messages import Manifest
from sidecar.channel.shelf import Shelf
from sidecar.state import FOUND

WEB = ObjectKey("Service", "default", "web")


def services(file: Path, *ports: int) -> ConfigSet:
    """A Service of each of these ports, with an address, as if `file` said so."""
    items = [
        f"apiVersion: v1\nkind: Service\nmetadata: {{name: {'web' if port == 80 else f'web{port}'}}}\n"
        f"spec: {{type: LoadBalancer, clusterIP: 127.96.0.9, ports: [{{port: {port}}}]}}"
        for port in ports
    ]
    return load_text("\n---\n".join(items), str(file)).config_set


def test_what_is_found_is_distributed_without_its_address(tmp_path: Path) -> None:
    shelf = Shelf(1)
    found = Found(tmp_path, shelf)
    here = services(tmp_path.resolve() / FOUND, 80)
    found.put_in_force(here, ())
    (told,) = [each.manifest for each in shelf.stored.values()]
    assert told.key == WEB
    assert b"clusterIP" not in bytes(told.body)
    generation = shelf.generation
    found.put_in_force(here, ())
    assert shelf.generation == generation
    found.put_in_force(services(tmp_path.resolve() / FOUND, 81), ())
    assert list(shelf.stored) == [WEB._replace(name="web81")]


def test_what_is_written_here_is_not_distributed(tmp_path: Path) -> None:
    shelf = Shelf(1)
    Found(tmp_path, shelf).put_in_force(services(tmp_path / "mine.yaml", 80), ())
    assert not shelf.stored


def test_what_is_stored_stands(tmp_path: Path) -> None:
    shelf = Shelf(1)
    found = Found(tmp_path, shelf)
    here = services(tmp_path.resolve() / FOUND, 80)
    found.put_in_force(here, ())
    stored = Manifest(*WEB, "stored.yaml", next(iter(shelf.stored.values())).manifest.body)
    shelf.change([stored])
    found.put_in_force(here, {WEB})
    assert shelf.stored[WEB].manifest is stored
    shelf.change((), [WEB])
    found.put_in_force(here, ())
    assert WEB in shelf.stored
