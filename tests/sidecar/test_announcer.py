"""What ``weft up`` prints while it starts."""

from __future__ import annotations

import io

from config.meta import ObjectKey
from mesh.status import ObjectStatus
from sidecar.announcer import MOST_LINES, Announcer, commands_to_try
from sidecar.options import Address
from sidecar.readiness import Missing
from tests.sidecar.making import WEB_DOOR, workload

ADMIN = Address("127.0.0.1", 9901)


def printed(announcer: Announcer, out: io.StringIO) -> list[str]:
    text = out.getvalue()
    out.seek(0)
    out.truncate()
    return text.splitlines()


def test_each_port_and_each_change_is_told_once() -> None:
    out = io.StringIO()
    announcer = Announcer(out)
    waiting = WEB_DOOR._replace(ready=False)
    announcer.show([waiting], [workload(0, 3)])
    assert printed(announcer, out) == []
    announcer.show([WEB_DOOR], [workload(1, 3)])
    assert printed(announcer, out) == ["web  1/3 replicas ready", "web:http  http://127.96.0.9:80/"]
    announcer.show([WEB_DOOR], [workload(1, 3)])
    assert printed(announcer, out) == []
    announcer.show([WEB_DOOR], [workload(3, 3)])
    assert printed(announcer, out) == ["web  3/3 replicas ready"]


def test_a_port_that_is_served_elsewhere_says_so() -> None:
    out = io.StringIO()
    door = WEB_DOOR._replace(namespace="shop", served="127.96.0.9:8080", note="served at 127.96.0.9:8080 (why)")
    Announcer(out).show([door, WEB_DOOR._replace(wanted="127.96.0.9:81", served="")], [])
    assert out.getvalue() == "shop/web:http  http://127.96.0.9:80/ -> served at 127.96.0.9:8080 (why)\n"


def test_very_many_ports_are_not_all_printed() -> None:
    out = io.StringIO()
    Announcer(out).show([WEB_DOOR._replace(wanted=f"127.96.0.9:{port}") for port in range(1, 1000)], [])
    assert len(out.getvalue().splitlines()) == MOST_LINES


def test_what_a_registry_is_dialled_for_is_told() -> None:
    out = io.StringIO()
    Announcer(out).listening([("DNS", "127.0.0.1:5353"), ("nodes (--peers)", "[::1]:7946")])
    assert out.getvalue() == "DNS  127.0.0.1:5353\nnodes (--peers)  [::1]:7946\n"


def test_the_end_of_the_start() -> None:
    out = io.StringIO()
    announcer = Announcer(out)
    announcer.waiting([Missing("Deployment default/web", "0/3 replicas ready")])
    announcer.not_in_force([(ObjectKey("Ingress", "default", "web"), ObjectStatus("pending", ("not yet",)))])
    announcer.ready(1.234, ["a", "b"])
    announcer.stopped()
    assert out.getvalue().splitlines() == [
        "still waiting for:", "  Deployment default/web: 0/3 replicas ready",
        "Ingress web: pending: not yet",
        "ready in 1.2 s", "", "try:", "  a", "  b", "", "stopped",
    ]  # fmt: skip


def test_commands_to_try_have_the_real_addresses() -> None:
    moved = WEB_DOOR._replace(served="127.96.0.9:8080")
    node_port = WEB_DOOR._replace(entry="NodePort", wanted="127.0.0.1:30080", served="127.0.0.1:30080")
    curl, status, metrics = commands_to_try([moved], ADMIN, own_state=False)
    assert curl == "curl http://127.96.0.9:8080/"
    assert status.endswith(" status")
    assert metrics == "curl http://127.0.0.1:9901/metrics"
    assert commands_to_try([moved, node_port], ADMIN, own_state=False)[0] == "curl http://127.0.0.1:30080/"
    maybe_http = node_port._replace(protocol="detect")
    assert commands_to_try([maybe_http, moved], ADMIN, own_state=False)[0] == "curl http://127.96.0.9:8080/"
    nobody = node_port._replace(ready=False)
    assert commands_to_try([nobody, moved], ADMIN, own_state=False)[0] == "curl http://127.96.0.9:8080/"
    assert commands_to_try([], ADMIN, own_state=True)[0].endswith(" status --admin 127.0.0.1:9901")
    assert len(commands_to_try([moved._replace(protocol="tcp")], ADMIN, own_state=True)) == 2


def test_one_error_is_no_errors() -> None:
    out = io.StringIO()
    announcer = Announcer(out)
    announcer.reloaded("nothing changed", 0)
    announcer.reloaded("1 changed", 1)
    announcer.reloaded("1 changed", 2)
    assert printed(announcer, out) == [
        "reloaded: nothing changed",
        "reloaded: 1 changed; 1 error",
        "reloaded: 1 changed; 2 errors",
    ]
