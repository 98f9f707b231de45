"""What stands in deploy/: tried with the tool it is for, and held against the names that weft itself uses."""

from __future__ import annotations

import ast
import configparser
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.loader import load
from sidecar.cli import _build_parser, _command_modules
from tests.interop.programs import needs, run

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
_PARTS = re.compile("_(bucket|sum|count|total)$")


def dashboard() -> Any:
    return json.loads((DEPLOY / "grafana" / "weft.json").read_text())


def expressions() -> Iterator[str]:
    """Every PromQL expression of the dashboard and of the alerts."""
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"].replace("$__rate_interval", "1m")
    for group in yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["expr"]


def names_of_metrics() -> Iterator[re.Pattern[str]]:
    """A pattern for each string of the source that names a metric; what an f-string fills in may be any word."""
    for floor in ("mesh", "discovery", "sidecar"):
        for source in (path.read_text() for path in (ROOT / floor).rglob("*.py")):
            for node in ast.walk(ast.parse(source)) if "weft_" in source else ():
                parts = node.values if isinstance(node, ast.JoinedStr) else [node]
                texts = [part.value if isinstance(part, ast.Constant) else "" for part in parts]
                said = "".join(map(str, texts)).strip("_") if all(isinstance(text, str) for text in texts) else ""
                if said.startswith("weft_") and said.replace("_", "") != "weft":  # names of containers say no more
                    yield re.compile("[a-z]+".join(re.escape(str(text)) for text in texts if text or len(texts) > 1))


@needs("promtool")
def test_each_alert_is_raised_when_it_should_be_and_not_before() -> None:
    run("promtool", "check", "config", str(DEPLOY / "prometheus" / "prometheus.yml"))
    run("promtool", "test", "rules", str(DEPLOY / "prometheus" / "alerts_test.yml"))
    alerts = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"][0]["rules"]
    tried = (DEPLOY / "prometheus" / "alerts_test.yml").read_text()
    for alert in alerts:
        assert re.search(rf"alertname: {alert['alert']}\n\s+exp_alerts", tried), alert["alert"]


@needs("promtool")
def test_the_dashboard_asks_prometheus_what_it_understands(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(expressions())]
    assert len(rules) > 30
    page = tmp_path / "rules.yml"
    page.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    run("promtool", "check", "rules", str(page))


def test_rules_and_panels_ask_for_metrics_that_weft_has() -> None:
    known = list(names_of_metrics())
    asked = {name for text in expressions() for name in re.findall(r"\bweft_[a-z_0-9]+", text)}
    assert len(asked) > 20
    unknown = {name for name in asked if not any(k.fullmatch(name) or k.fullmatch(_PARTS.sub("", name)) for k in known)}
    assert not unknown
    assert not any(k.fullmatch("weft_no_such_metric") for k in known), "the patterns take anything"


def test_panels_do_not_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    numbers = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells
        numbers.add(panel["id"])
    assert len(numbers) == len(dashboard()["panels"])


@pytest.mark.parametrize("unit", sorted((DEPLOY / "systemd").iterdir()), ids=lambda path: path.name)
def test_systemd_understands_the_units(unit: Path, tmp_path: Path) -> None:
    parsed = configparser.ConfigParser(strict=True, interpolation=None, delimiters=("=",))
    parsed.optionxform = str  # type: ignore[assignment,method-assign]
    parsed.read_string(unit.read_text())
    command = parsed["Service"]["ExecStart"].split()
    assert command[:2] == ["/opt/weft/bin/weft", unit.stem.removeprefix("weft-")]
    if shutil.which("systemd-analyze"):
        here = tmp_path / unit.name
        here.write_text(unit.read_text().replace("/opt/weft/bin/weft", "/bin/true"))
        assert run("systemd-analyze", "verify", str(here)).stderr == b""


def test_compose_and_stack_start_weft_as_it_can_be_started() -> None:
    for name in ("compose.yaml", "swarm.yaml"):
        for service in of_compose(name).values():
            words = [_filled_in(word) for word in service.get("command", ())]
            if words and service["image"].startswith("${WEFT_IMAGE"):
                _build_parser(_command_modules(words)).parse_args(words)


@pytest.mark.parametrize("path", ["compose", "swarm/registry.yaml", "swarm/node.yaml"])
def test_the_manifests_of_compose_and_stack_have_no_faults(path: str) -> None:
    loaded = load([DEPLOY / path])
    assert not loaded.faults
    labels = [service.get("labels", {}) for service in of_compose("compose.yaml").values()]
    named = {each["weft.dev/service"] for each in labels if "weft.dev/service" in each}
    assert {each.name for each in loaded.config_set.services} <= named


def _filled_in(text: str) -> str:
    """With the default of each variable."""
    return re.sub(r"\$\{\w+:-(.*?)\}", r"\1", text)


def of_compose(name: str) -> Any:
    """The services of a file of ``docker compose`` or ``docker stack``; every path beside it that it mounts exists."""
    page = yaml.safe_load((DEPLOY / name).read_text())
    for service in page["services"].values():
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert source in page["volumes"] or source.startswith("/") or (DEPLOY / source).is_dir(), source
    return page["services"]
