"""What is lacking is said, and takes nothing else out of force."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from discovery.registry.names import SCALED_TO_ZERO
from tests.scenarios.manifests import deployment, ingress, service
from tests.scenarios.test_nodes import asked, reasons
from tests.scenarios.weft import ask
from tests.scenarios.world import weft_up


def front() -> dict[str, Any]:
    """An Ingress that leads to a Service, to one that is not there, and to a port that is not."""
    made = ingress("front", "shop.example", "web")
    [rule] = made["spec"]["rules"]
    [web] = rule["http"]["paths"]
    for path, name, port in (("/none", "none", {"number": 80}), ("/port", "web", {"name": "admin"})):
        backend = {"service": {"name": name, "port": port}}
        rule["http"]["paths"].append({"path": path, "pathType": "Prefix", "backend": backend})
    assert web["path"] == "/"
    return made


def test_a_rule_that_leads_nowhere_takes_nothing_else_out_of_force(tmp_path: Path) -> None:
    with weft_up(tmp_path, service("web", app="web"), deployment("web", 1), front()) as weft:
        weft.wait_ready()
        told = weft.admin("/api/v1/explain?url=http://shop.example/none").json
        assert told["verdict"].endswith(
            "/none:80 has no endpoint: this rule leads to a Service or port that is not there"
        )
        address = told["listener"]["served"]
        assert ask(address, "/", Host="shop.example").status == 200
        for path in ("/none", "/port/x"):
            answer = ask(address, path, Host="shop.example")
            assert answer.status == 503
            assert answer.fields["proxy-status"].startswith("weft; error=destination_not_found")
        config = weft.admin("/api/v1/config").json
        [status] = [each["status"] for each in config["objects"] if each["kind"] == "Ingress"]
        assert status["state"] == "degraded"
        assert "there is no Service none: requests are answered with 503" in status["reasons"][0]
        assert sorted(fault["severity"] for fault in config["faults"]) == ["error", "error"], "as weft validate says"


def test_a_service_that_is_scaled_to_zero_is_told_from_one_that_is_not_ready(tmp_path: Path) -> None:
    headless = service("idle", app="none")
    headless["spec"]["clusterIP"] = "None"
    with weft_up(tmp_path, deployment("none", 0), service("none", app="none"), service("bare"), headless) as weft:
        weft.wait_ready()
        assert reasons(asked(weft, "idle.default.svc.cluster.local")) == [SCALED_TO_ZERO]
        for name, why in (("none", "the Service is scaled to zero"), ("bare", "the Service has no ready endpoint")):
            answer = ask(weft.address(name))
            said = f'weft; error=destination_unavailable; details="{why}"'
            assert (answer.status, answer.fields["proxy-status"]) == (503, said)
