"""From paths to a ConfigSet with all addresses, faults told, and nothing run that has nothing to run."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.configset import ConfigSet
from config.errors import Fault
from config.meta import Named, Source
from sidecar.errors import UserError
from sidecar.state import StateFolder
from sidecar.written import MOST_FAULTS, Manifests, Written, report, require_node, require_usable

SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n"
WEB = Named("default", "web")


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateFolder]:
    folder = StateFolder.open(tmp_path / "state")
    yield folder
    folder.close()


async def test_addresses_are_given_out_and_remembered(tmp_path: Path, state: StateFolder) -> None:
    (tmp_path / "web.yaml").write_text(SERVICE)
    first = await Manifests([tmp_path / "web.yaml"], state).read()
    address = first.config_set.services[WEB].spec.cluster_ip
    assert address.startswith("127.96.")
    assert (first.usable, first.failed) == (True, False)
    text = (state.path / "assignments.json").read_text()
    assert address in text
    (state.path / "assignments.json").write_text(text.replace(address, "127.96.200.7"))
    again = await Manifests([tmp_path / "web.yaml"], state).read()
    assert again.config_set.services[WEB].spec.cluster_ip == "127.96.200.7"


async def test_a_mistake_forgets_no_address(tmp_path: Path, state: StateFolder) -> None:
    remembered = state.path / "assignments.json"
    (tmp_path / "web.yaml").write_text(SERVICE)
    await Manifests([tmp_path / "web.yaml"], state).read()
    before = remembered.read_text()
    for mistake in ("{", SERVICE.replace("80", "none")):
        (tmp_path / "web.yaml").write_text(mistake)
        assert (await Manifests([tmp_path / "web.yaml"], state).read()).failed
        assert remembered.read_text() == before
    (tmp_path / "web.yaml").write_text(SERVICE.replace("web", "other"))
    await Manifests([tmp_path / "web.yaml"], state).read()
    assert "default/web" not in remembered.read_text()


async def test_what_is_remembered_wrongly_is_a_warning(tmp_path: Path, state: StateFolder) -> None:
    (tmp_path / "web.yaml").write_text(SERVICE)
    (state.path / "assignments.json").write_text("{")
    written = await Manifests([tmp_path / "web.yaml"], state).read()
    assert [fault.severity for fault in written.faults if "assignments" in fault.source.file] == ["warning"]
    assert written.usable


async def test_a_state_folder_that_is_gone_is_said(tmp_path: Path, state: StateFolder) -> None:
    (tmp_path / "web.yaml").write_text(SERVICE)
    (state.path / "lock").unlink()
    state.path.rmdir()
    written = await Manifests([tmp_path / "web.yaml"], state).read()
    state.path.mkdir()
    assert "cannot be written (No such file or directory)" in written.faults[-1].message
    assert written.failed
    assert written.usable


UNUSABLE = {
    "nothing": (Written(ConfigSet(), ()), "nothing to run in a b: there is no Service or Deployment"),
    "only faults": (
        Written(ConfigSet(), (Fault("error", Source("a", 1, 1), "bad"),)),
        "nothing to run in a b: no Service and no Deployment is without errors",
    ),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_nothing_to_run(name: str) -> None:
    written, words = UNUSABLE[name]
    with pytest.raises(UserError) as refused:
        require_usable(written, [Path("a"), Path("b")])
    assert str(refused.value) == words


async def test_a_node_config_with_errors_needs_an_earlier_version(tmp_path: Path, state: StateFolder) -> None:
    file = tmp_path / "node.yaml"
    manifests = Manifests([file], state)
    good = SERVICE + "---\napiVersion: weft.dev/v1\nkind: NodeConfig\nmetadata: {name: node}\nspec: {}\n"
    bad = good.replace("{}", "{drainTimeout: 30}")
    file.write_text(bad)
    with pytest.raises(UserError, match=r"NodeConfig/node has errors, and no earlier version .*node\.yaml:"):
        require_node(await manifests.read())
    file.write_text(good)
    require_node(await manifests.read())
    file.write_text(bad)
    written = await manifests.read()
    require_node(written)
    assert written.failed


def test_faults_are_reported_up_to_a_bound() -> None:
    out = io.StringIO()
    report(Written(ConfigSet(), ()), out)
    assert out.getvalue() == ""
    faults = tuple(Fault("warning", Source("a.yaml", line, 1), "odd") for line in range(1, MOST_FAULTS + 11))
    report(Written(ConfigSet(), faults), out)
    lines = out.getvalue().splitlines()
    assert lines[0] == "a.yaml:1:1: warning: odd"
    assert lines[-1] == "... and 10 more: weft validate shows all"
    assert len(lines) == MOST_FAULTS + 1
