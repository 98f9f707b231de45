"""weft validate: what it prints, and how it exits."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from config.errors import Fault
from config.meta import Source
from sidecar.cli import main
from sidecar.commands.validate import as_json, examine
from sidecar.findings import Findings

ROOT = Path(__file__).parents[2]
GOOD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: b}\n"
WARNED = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80}]}\n"
WRONG = """apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  type: NodePort
  selector: {app: web}
  ports:
    - port: 80
      nodePort: 80
"""
UNRUNNABLE = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "web:1"}, {name: own, image: "own:1", command: [own]}]}
"""
NODE = "---\napiVersion: weft.dev/v1\nkind: NodeConfig\nmetadata: {name: node}\nspec: "
POLICY = (
    "apiVersion: weft.dev/v1\nkind: TrafficPolicy\nmetadata: {name: p}\nspec: {targetRef: {kind: Service, name: web}}\n"
)
NOTICED = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db}\nspec: {}\n"


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return tmp_path / "m.yaml"


@pytest.mark.parametrize(
    ("text", "code", "summary"),
    [
        (GOOD, 0, "1 object, nothing wrong"),
        (GOOD + "---\n" + NOTICED, 0, "2 objects, 0 errors, 0 warnings, 1 notice"),
        (WARNED, 0, "1 object, 0 errors, 1 warning"),
        (WRONG, 1, "1 object, 1 error, 1 warning"),
        (WRONG + "---\n" + GOOD, 1, "2 objects, 1 error, 1 warning"),
        (UNRUNNABLE, 0, "1 object, 0 errors, 1 warning"),
        (UNRUNNABLE + NODE + "{images: {'web:1': [web]}}\n", 0, "2 objects, nothing wrong"),
        (UNRUNNABLE + NODE + "{platforms: [docker]}\n", 0, "2 objects, nothing wrong"),
        (POLICY + NODE + "{platforms: [swarm]}\n", 0, "2 objects, 0 errors, 1 warning"),
        (UNRUNNABLE + NODE + "{images: {'web:1': [web]}, typo: 1}\n", 1, "2 objects, 1 error, 0 warnings"),
        ("# nothing\n", 0, "no objects found"),
    ],
    ids=[
        "good",
        "notice",
        "warning",
        "error",
        "error among good",
        "no command",
        "command",
        "elsewhere",
        "to be found",
        "unknown images",
        "empty",
    ],
)
def test_summary_and_exit_code(
    manifest: Path, capsys: pytest.CaptureFixture[str], text: str, code: int, summary: str
) -> None:
    manifest.write_text(text)
    assert main(["validate", str(manifest)]) == code
    assert capsys.readouterr().out.splitlines()[-1] == summary


def test_a_fault_is_one_line_that_editors_understand(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest.write_text(WRONG)
    assert main(["validate", str(manifest)]) == 1
    warning, error, _ = capsys.readouterr().out.splitlines()
    assert warning.startswith(f"{manifest}:7:13: Service/default/web: spec.selector: warning: matches nothing")
    assert error.startswith(f"{manifest}:10:17: Service/default/web: spec.ports[0].nodePort: error: 80 is outside")


def test_faults_of_many_files_are_sorted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, port in (("b", 80), ("a", 81)):
        text = WRONG.replace("name: web", f"name: {name}").replace("nodePort: 80", f"nodePort: {port}")
        (tmp_path / f"{name}.yaml").write_text(text)
    assert main(["validate", str(tmp_path)]) == 1
    places = [line.split(": ")[0] for line in capsys.readouterr().out.splitlines()[:-1]]
    assert places == [f"{tmp_path}/{place}" for place in ("a.yaml:7:13", "a.yaml:10:17", "b.yaml:7:13", "b.yaml:10:17")]


def test_a_path_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(tmp_path / "nothing")]) == 1
    assert "no such file or folder" in capsys.readouterr().out


def test_addresses_are_given_out_as_weft_up_would(tmp_path: Path) -> None:
    head = "apiVersion: weft.dev/v1\nkind: NodeConfig\nmetadata: {name: laptop}\n"
    node = f"{head}spec: {{serviceRange: {{cidr: 127.96.0.0/30}}}}\n"
    services = [WARNED.replace("name: web", f"name: web{i}") for i in range(3)]
    (tmp_path / "m.yaml").write_text("---\n".join([node, *services]))
    findings = examine([tmp_path])
    assert findings.count("error") == 1
    assert any("127.96.0.0/30 is taken" in fault.message for fault in findings.faults)


def test_an_image_without_a_command_has_its_own_place(manifest: Path) -> None:
    manifest.write_text(GOOD + "---\n" + UNRUNNABLE)
    [fault] = examine([manifest]).faults
    assert (fault.source.line, fault.source.column) == (13, 44)


def test_json(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest.write_text(WRONG + "---\n" + NOTICED)
    assert main(["validate", "--json", str(manifest)]) == 1
    found = json.loads(capsys.readouterr().out)
    assert {key: found[key] for key in ("objects", "errors", "warnings", "notices")} == {
        "objects": 2,
        "errors": 1,
        "warnings": 1,
        "notices": 1,
    }
    (error,) = (fault for fault in found["faults"] if fault["severity"] == "error")
    message = error.pop("message")
    assert message.startswith("80 is outside the range of node ports")
    assert error == {
        "severity": "error",
        "file": str(manifest),
        "line": 10,
        "column": 17,
        "kind": "Service",
        "namespace": "default",
        "name": "web",
        "path": "spec.ports[0].nodePort",
    }


def test_json_of_nothing_wrong(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest.write_text(GOOD)
    assert main(["validate", "--json", str(manifest)]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "objects": 1,
        "errors": 0,
        "warnings": 0,
        "notices": 0,
        "faults": [],
    }


def test_json_of_a_fault_without_an_object() -> None:
    (fault,) = as_json(Findings((Fault("error", Source("m.yaml", 1, 1), "no YAML"),), 0))["faults"]
    assert (fault["kind"], fault["namespace"], fault["name"], fault["path"]) == ("", "", "", "")


@pytest.mark.parametrize("folder", ["shop", "payment"])
def test_the_examples_are_valid(folder: str) -> None:
    assert examine([ROOT / "examples" / folder]).faults == ()


def test_a_registry_runs_no_images(tmp_path: Path) -> None:
    (tmp_path / "app.yaml").write_text(
        "{apiVersion: apps/v1, kind: Deployment, metadata: {name: app}, spec: {selector: {matchLabels: {app: app}}, "
        "template: {metadata: {labels: {app: app}}, spec: {containers: [{name: main, image: app:v1}]}}}}"
    )
    node = tmp_path / "node.yaml"
    head = "{apiVersion: weft.dev/v1, kind: NodeConfig, metadata: {name: r}, spec: {registry: "
    for registry, warned in (
        ("{keys: [{secret: k, transfers: true}]}", False),
        ("{servers: [127.0.0.1:53], key: k}", True),
    ):
        node.write_text(f"{head}{registry}}}}}")
        images = [fault for fault in examine([tmp_path]).faults if fault.path.endswith("image")]
        assert bool(images) is warned


def test_what_kubectl_get_prints_is_accepted() -> None:
    faults = examine([ROOT / "tests" / "sidecar" / "exported.yaml"]).faults
    assert {(fault.severity, fault.path) for fault in faults} == {
        ("warning", "spec.clusterIP"),
        ("warning", "spec.template.spec.containers[0].image"),
    }


@pytest.mark.parametrize("name", ["m.yaml", "-"])
def test_as_a_process(manifest: Path, name: str) -> None:
    manifest.write_text(WRONG)
    command = [sys.executable, "-m", "sidecar", "validate", name if name == "-" else str(manifest)]
    done = subprocess.run(command, cwd=ROOT, input=WRONG, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    shown = "<stdin>" if name == "-" else manifest
    assert f"{shown}:10:17: Service/default/web: spec.ports[0].nodePort: error:" in done.stdout
    assert done.stdout.endswith("1 object, 1 error, 1 warning\n")
    assert "\x1b" not in done.stdout
    assert done.stderr == ""
