"""dig and kdig ask a weft, and BIND names the endpoints of a Service."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.interop.programs import free_ports, named, needs, run
from tests.scenarios.manifests import endpoint_slice, service
from tests.scenarios.weft import Weft, wait_for
from tests.scenarios.world import ready, weft_up

Z = "cluster.local"
KEYS = 'key weft { algorithm hmac-sha256; secret "c2VjcmV0c2VjcmV0"; };'
RULES = {"example.com": "allow-query { key weft; }; allow-update { key weft; };"}
ZONE = """$TTL 1
@ SOA ns hostmaster 1 60 60 60 1
@ NS ns
ns A 127.0.0.1
web A 127.0.0.1
web AAAA ::1
_http._tcp SRV 1 5 8001 a
_http._tcp SRV 1 0 8002 a
_http._tcp SRV 2 1 8003 b
a A 127.0.0.21
b A 127.0.0.22
"""
MANY = 90
"""More than fit into a datagram, and no more than BIND takes for one name."""
LARGE = "$TTL 1\n@ SOA ns hostmaster 1 60 60 60 1\n@ NS ns\nns A 127.0.0.1\n" + "".join(
    f"pool A 127.1.{number // 100}.{number % 100 + 1}\n" for number in range(MANY)
)
SECRET = {"name": "weft", "secret": "c2VjcmV0c2VjcmV0"}

pytestmark = [needs("dig"), needs("kdig"), needs("named")]


def from_dns(name: str, port: int, ports: dict[str, int], **annotations: str) -> dict[str, Any]:
    made = service(name, ports)
    annotations = {"weft.dev/dns-servers": f"127.0.0.1:{port}", **annotations}
    made["metadata"]["annotations"] = annotations
    return made


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Weft, int]]:
    """A weft whose Services take their endpoints from a BIND, and the port of that."""
    folder = tmp_path_factory.mktemp("dns")
    [port] = free_ports(1)
    headless = service("db", {"pg": 5432})
    headless["spec"]["clusterIP"] = "None"
    slices = endpoint_slice("db", {"pg": 5432}, "127.97.0.5", "127.97.0.6")
    slices["endpoints"][0]["hostname"] = "db-0"
    external = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "www"},
                "spec": {"type": "ExternalName", "externalName": "www.example.com"}}  # fmt: skip
    empty = service("empty", {"pg": 5432})
    empty["spec"]["clusterIP"] = "None"
    pool = from_dns("pool", port, {"http": 80}, **{"weft.dev/dns": "pool.large.example"})
    pool["spec"]["clusterIP"] = "None"
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "stringData": SECRET}
    objects = [
        headless, slices, external, empty, secret, pool,
        from_dns("web", port, {"http": 8080}, **{"weft.dev/dns": "web.example.com", "weft.dev/dns-tsig": "key"}),
        from_dns("srv", port, {"http": 80}, **{
            "weft.dev/dns": "_{port}._{protocol}", "weft.dev/dns-search": "example.com", "weft.dev/dns-tsig": "key",
        }),
        from_dns("unsigned", port, {"http": 80}, **{"weft.dev/dns": "web.example.com"}),
    ]  # fmt: skip
    zones = {"example.com": ZONE, "large.example": LARGE}
    with named(folder / "bind", port, zones, keys=KEYS, rules=RULES), weft_up(folder, *objects) as weft:
        yield weft, port


def at(weft: Weft) -> list[str]:
    host, _, port = weft.network.dns.rpartition(":")
    return [f"@{host}", "-p", port]


def dig(weft: Weft, *words: str, program: str = "dig") -> str:
    return run(program, *at(weft), *words).stdout.decode()


def short(weft: Weft, *words: str, program: str = "dig") -> list[str]:
    return sorted(dig(weft, "+short", *words, program=program).split("\n")[:-1])


def status(text: str) -> str:
    found = re.search(r"status: (\w+)", text)
    assert found, text
    return found[1]


@pytest.mark.parametrize("program", ["dig", "kdig"])
@pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
def test_questions(program: str, transport: str, behind: tuple[Weft, int]) -> None:
    weft = behind[0]
    web = short(weft, transport, f"web.default.svc.{Z}", "A", program=program)
    assert len(web) == 1
    assert web[0].startswith(weft.network.prefix)
    table: dict[tuple[str, ...], list[str]] = {
        (f"db.default.svc.{Z}", "A"): ["127.97.0.5", "127.97.0.6"],
        (f"db-0.db.default.svc.{Z}", "A"): ["127.97.0.5"],
        (f"_pg._tcp.db.default.svc.{Z}", "SRV"): [
            f"0 1 5432 127-97-0-6.db.default.svc.{Z}.", f"0 1 5432 db-0.db.default.svc.{Z}.",
        ],
        (f"_http._tcp.web.default.svc.{Z}", "SRV"): [f"0 100 8080 web.default.svc.{Z}."],
        (f"www.default.svc.{Z}", "A"): ["www.example.com."],
        (f"dns-version.{Z}", "TXT"): ['"1.1.0"'],
        (f"web.default.svc.{Z}", "AAAA"): [],
        ("-x", web[0]): [f"web.default.svc.{Z}."],
        ("-x", "127.97.0.5"): [f"db-0.db.default.svc.{Z}."],
    }  # fmt: skip
    for question, expected in table.items():
        assert short(weft, transport, *question, program=program) == expected, question


def test_denials(behind: tuple[Weft, int]) -> None:
    weft = behind[0]
    absent = dig(weft, f"absent.default.svc.{Z}", "A")
    assert status(absent) == "NXDOMAIN"
    assert re.search(rf"^{Z}\.\s+1\s+IN\s+SOA", absent, re.MULTILINE)
    other_type = dig(weft, f"web.default.svc.{Z}", "MX")
    assert (status(other_type), "ANSWER: 0" in other_type) == ("NOERROR", True)
    assert re.search(rf"^{Z}\.\s+1\s+IN\s+SOA", other_type, re.MULTILINE)
    assert status(dig(weft, "www.example.com", "A")) == "REFUSED"


def test_why_there_is_nothing(behind: tuple[Weft, int]) -> None:
    empty = dig(behind[0], f"empty.default.svc.{Z}", "A")
    assert status(empty) == "NXDOMAIN"
    assert "EDE: 49152: (Service default/empty: not ready: it has no endpoints)" in empty
    assert "EDE" not in dig(behind[0], "+noedns", f"empty.default.svc.{Z}", "A")


def test_a_large_answer_comes_by_tcp(behind: tuple[Weft, int]) -> None:
    weft = behind[0]
    wait_for(lambda: len(ready(weft, "pool")) == MANY, lambda: str(weft.admin("/api/v1/dns").json), 5)
    wait_for(lambda: len(short(weft, f"pool.default.svc.{Z}", "A")) == MANY)
    assert "Truncated, retrying in TCP" in dig(weft, f"pool.default.svc.{Z}", "A")
    assert " tc" in dig(weft, "+ignore", f"pool.default.svc.{Z}", "A")


def test_pipelined_queries_over_one_connection(behind: tuple[Weft, int]) -> None:
    questions = [word for _ in range(20) for word in (f"db-0.db.default.svc.{Z}", "A")]
    assert short(behind[0], "+tcp", "+keepopen", *questions) == ["127.97.0.5"] * 20


def test_bind_names_the_endpoints(behind: tuple[Weft, int]) -> None:
    weft = behind[0]
    wait_for(lambda: sorted(ready(weft, "web")) == ["127.0.0.1:8080", "::1:8080"])
    wait_for(lambda: sorted(ready(weft, "srv")) == ["127.0.0.21:8001", "127.0.0.21:8002", "127.0.0.22:8003"])
    wait_for(lambda: len(ready(weft, "pool")) == MANY)
    sources = weft.admin("/api/v1/dns").json["sources"]
    refused = {each["service"]: each["failure"] for each in sources if each["failure"]}
    assert set(refused) == {"unsigned"}
    assert "REFUSED" in refused["unsigned"]


@needs("nsupdate")
def test_an_update_of_bind_is_followed(behind: tuple[Weft, int]) -> None:
    weft, port = behind
    lines = f"server 127.0.0.1 {port}\nupdate add web.example.com. 1 A 127.0.0.9\nsend\n"
    run("nsupdate", "-y", "hmac-sha256:weft:c2VjcmV0c2VjcmV0", stdin=lines.encode())
    wait_for(lambda: "127.0.0.9:8080" in ready(weft, "web"))
    run("nsupdate", "-y", "hmac-sha256:weft:c2VjcmV0c2VjcmV0", stdin=lines.replace("add", "delete").encode())
    wait_for(lambda: "127.0.0.9:8080" not in ready(weft, "web"))
    assert "127.0.0.1:8080" in ready(weft, "web")


def test_queries_are_counted(behind: tuple[Weft, int]) -> None:
    dig(behind[0], f"web.default.svc.{Z}", "A")
    page = behind[0].admin("/metrics").body.decode()
    assert re.search(r'^weft_dns_queries_total\{type="A",rcode="NOERROR"\} [1-9]', page, re.MULTILINE)
