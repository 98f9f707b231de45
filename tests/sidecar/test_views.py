"""The documents of the admin API."""

from __future__ import annotations

import json
from typing import Any

from config.meta import Named
from discovery.endpoint import Endpoint
from sidecar import views
from sidecar.assembly import Assembly
from sidecar.documents import slices


def said(answer: tuple[int, Any]) -> Any:
    status, document = answer
    assert status == 200
    return json.loads(b"".join(slices(document)))


async def test_services_view(node: Assembly) -> None:
    (service,) = said(views.services(node.running))["services"]
    assert service["endpoints"] == {"ready": 1, "total": 1}
    (door,) = node.running.doors()
    assert [port["listens"] for port in service["ports"]] == [[door.served], []]


async def test_config_view_tells_statuses_and_no_secrets(node: Assembly) -> None:
    text = b"".join(slices(views.config(node.running)[1])).decode()
    assert "hunter2" not in text
    objects = {each["kind"]: each for each in json.loads(text)["objects"]}
    assert objects["Service"]["status"]["state"] == "degraded"
    assert "SCTP is not carried" in objects["Service"]["status"]["reasons"][0]
    assert objects["Secret"]["object"]["stringData"] == {"password": "(hidden)"}


async def test_endpoints_view(node: Assembly) -> None:
    (endpoint,) = said(views.endpoints(node.running))["endpoints"]
    assert (endpoint["service"], endpoint["servicePort"], endpoint["address"]) == ("web", "http", "127.0.0.1")
    assert (endpoint["ready"], endpoint["serving"], endpoint["terminating"]) == (True, True, False)


async def test_replicas_behind_several_ports_count_once(node: Assembly) -> None:
    there = (Endpoint("127.0.0.2", 1), Endpoint("127.0.0.3", 1))
    waiting = (Endpoint("127.0.0.2", 2), Endpoint("127.0.0.3", 2, ready=False))
    node.catalog.put_endpoints("manifest", {Named("default", "web"): {"http": there, "sctp": waiting}})
    (service,) = said(views.services(node.running))["services"]
    assert service["endpoints"] == {"ready": 1, "total": 2}


def test_health_is_that_it_answers() -> None:
    assert said(views.healthz()) == {"ok": True}
