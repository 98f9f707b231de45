"""The shop example: services that call each other, and replicas that are told to misbehave."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.policy.source import ROOT
from tests.scenarios.weft import Network, Weft, ask, running, wait_for

SHOP = ROOT / "examples" / "shop"
IMAGES = {f"shop/{name}:v1": ["python3", "-m", f"shop.{name}"] for name in ("web", "cart", "catalog")}


@pytest.fixture(scope="module")
def weft(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weft]:
    """The example as it is, but for a NodeConfig with addresses of its own."""
    network = Network.random()
    folder = tmp_path_factory.mktemp("up") / "shop"
    folder.mkdir()
    for path in SHOP.glob("*.yaml"):
        if path.name != "node.yaml":
            (folder / path.name).write_text(path.read_text())
    (folder / "shop").symlink_to(SHOP / "shop")
    (folder / "node.json").write_text(json.dumps(network.node_config(IMAGES)))
    with running(folder, network) as started:
        yield started


@pytest.fixture
def web(weft: Weft) -> str:
    return f"{weft.network.node}:30080"


def who(address: str, path: str = "/hello") -> str:
    answer = ask(address, path)
    assert answer.status == 200, answer
    return str(answer.json["replica"])


def test_the_images_of_the_example_are_these() -> None:
    text = (SHOP / "node.yaml").read_text()
    for image, argv in IMAGES.items():
        assert f"{image}: [{', '.join(argv)}]" in text


def test_the_page_is_made_of_all_three_services(web: str) -> None:
    page = ask(web)
    assert page.status == 200
    assert (page.json["catalog"]["service"], page.json["cart"]["service"]) == ("catalog", "cart")


def test_services_and_the_ingress(weft: Weft) -> None:
    services = {each["name"]: each for each in weft.admin("/api/v1/services").json["services"]}
    assert {name: each["endpoints"]["total"] for name, each in services.items()} == {"web": 3, "cart": 2, "catalog": 2}
    assert services["web"]["ports"][0]["nodePort"] == 30080
    assert len(services["web"]["ports"][0]["listens"]) == 2
    assert "Ingress shop" not in weft.out.read_text(), "all of it is in force"


def test_a_slow_replica_answers_late(web: str) -> None:
    assert ask(web, "/slow?ms=30").json["slept"] == 0.03
    assert ask(web, "/slow?ms=x").status == 400
    assert ask(web, "/crash").status == 405


@pytest.mark.parametrize("service", ["web", "cart"])
def test_an_unready_replica_gets_no_traffic(weft: Weft, service: str) -> None:
    address = weft.address(service)
    path = "/hello" if service == "web" else "/"
    everyone = {who(address, path) for _ in range(12)}
    unready = str(ask(address, "/unready", "POST").json["replica"])
    wait_for(lambda: ready(weft, service) == len(everyone) - 1)
    assert {who(address, path) for _ in range(12)} == everyone - {unready}


def test_a_crashed_replica_is_started_again(weft: Weft) -> None:
    address = weft.address("catalog")
    answer = ask(address, "/crash", "POST")
    assert answer.status == 502
    assert "proxy-status" in answer.fields
    wait_for(lambda: weft.err.read_text().count("container started") > 7)
    wait_for(lambda: ready(weft, "catalog") == 2)
    assert len({who(address, "/items") for _ in range(12)}) == 2


def ready(weft: Weft, service: str) -> int:
    services = weft.admin("/api/v1/services").json["services"]
    return int(next(each for each in services if each["name"] == service)["endpoints"]["ready"])


def test_the_readme_says_what_the_example_can_do() -> None:
    text = (Path(SHOP) / "README.md").read_text()
    for path in ("/slow?ms=", "/unready", "/crash"):
        assert path in text


@pytest.mark.parametrize(
    ("path", "service"),
    [("/", "web"), ("/?a=b", "web"), ("/items", "catalog")],
)
def test_the_ingress_sends_each_path_to_its_service(weft: Weft, path: str, service: str) -> None:
    answer = ask(f"{weft.network.node}:8080", path, Host="Shop.localhost:8080")
    assert answer.json["service"] == service


def test_what_no_rule_of_the_ingress_takes(weft: Weft) -> None:
    answer = ask(f"{weft.network.node}:8080", "/secret", Host="other.localhost")
    assert answer.status == 404
    assert "host other.localhost and path /secret" in answer.body.decode()
    assert b"shop" not in answer.body


def test_what_an_ingress_leads_to_counts_as_its_service(weft: Weft, web: str) -> None:
    def requests() -> int:
        page = weft.admin("/metrics").body.decode()
        found = re.search(r'weft_http_requests_total\{[^}]*service="web"[^}]*code="200"[^}]*\} (\d+)', page)
        return int(found[1]) if found else 0

    before = requests()
    for _ in range(3):
        ask(f"{weft.network.node}:8080", "/hello", Host="shop.localhost")
        ask(web, "/hello")
    wait_for(lambda: requests() == before + 6, lambda: str(requests()))
