"""nsupdate and knsupdate write to the registry of a weft; dig and kdig ask for what they wrote, and for transfers."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest

from tests.interop.nameservers import DOMAIN, SECRET, registry_folder
from tests.interop.programs import needs, run
from tests.scenarios.weft import Network, Weft, running

pytestmark = [needs(program) for program in ("nsupdate", "knsupdate", "dig", "kdig")]
KEYS = {
    "wide": {"writes": ["*"], "transfers": True},
    "wide512": {"writes": ["*"]},
    "narrow": {"writes": [f"narrow.{DOMAIN}"]},
}
WIDE, WIDE_512, NARROW = (f"hmac-sha{'512' if '512' in name else '256'}:{name}:{SECRET}" for name in KEYS)


ONE_OF_EACH = {
    "one.web": "A 10.0.0.1",
    "_http._tcp.web": f"SRV 0 1 80 one.web.default.{DOMAIN}.",
    "one.db": "A 10.0.0.2",
}


@pytest.fixture(scope="module", params=["keys", "no keys"])
def weft(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weft]:
    network = Network.random()
    folder = tmp_path_factory.mktemp("registry") / "manifests"
    with running(registry_folder(folder, network, keys=KEYS if request.param == "keys" else {}), network) as started:
        yield started
        assert started.stop() == 0
    assert "Traceback" not in started.told()


@pytest.fixture
def key(weft: Weft) -> str:
    """A key that may write everything; empty: there is none, and this machine may."""
    return WIDE if "transfers" in weft_settings(weft) else ""


def weft_settings(weft: Weft) -> str:
    return (weft.state.parent / "manifests" / "manifests.json").read_text()


keyed = pytest.mark.parametrize("weft", ["keys"], indirect=True)
PROGRAMS, TRANSPORTS = ("nsupdate", "knsupdate"), ("UDP", "TCP")
programs = pytest.mark.parametrize("program", PROGRAMS)
ONCE = [
    # A bounded run has each pair: of algorithm, program and transport.
    pytest.param(*signed, program, transport, marks=[pytest.mark.soak] if (one + of + by) % 2 else [])
    for one, signed in enumerate([("keys", "hmac-sha256"), ("keys", "hmac-sha512"), ("no keys", "unsigned")])
    for of, program in enumerate(PROGRAMS)
    for by, transport in enumerate(TRANSPORTS)
]


def update(weft: Weft, script: str, *options: str, program: str = "nsupdate", zone: str = DOMAIN) -> str:
    """What the program says of `script`; empty: it went well."""
    host, _, port = weft.network.dns.rpartition(":")
    text = f"server {host} {port}\nzone {zone}.\n{script}send\n"
    argv = [program, *options]
    done = subprocess.run(argv, input=text, capture_output=True, timeout=30, check=False, text=True)
    return (done.stdout + done.stderr).replace("> ", "").strip()


def dig(weft: Weft, *words: str, key: str = "", program: str = "dig") -> str:
    host, _, port = weft.network.dns.rpartition(":")
    signs = ["-y", key] if key else []
    return run(program, f"@{host}", "-p", port, *signs, *words).stdout.decode()


def short(weft: Weft, name: str, kind: str) -> list[str]:
    return dig(weft, "+short", f"{name}.{DOMAIN}", kind).split("\n")[:-1]


def serial(weft: Weft) -> int:
    return int(dig(weft, "+short", DOMAIN, "SOA").split()[2])


def serials(said: str) -> list[int]:
    """Of all SOA records, in order."""
    return [int(found) for found in re.findall(r"\sSOA\s+\S+ \S+ (\d+) ", said)]


@pytest.mark.parametrize(("weft", "algorithm", "program", "transport"), ONCE, indirect=["weft"])
def test_an_update_is_carried_out_once(weft: Weft, key: str, program: str, transport: str, algorithm: str) -> None:
    name = f"once-{program}-{transport}-{algorithm}"
    changes = (
        f"prereq nxdomain {name}.{DOMAIN}.\n"
        f"update add {name}.{DOMAIN}. 5 A 10.0.0.2\n"
        f'update add {name.upper()}.{DOMAIN}. 5 TXT "ready=true"\n'
        f"update add {name}.{DOMAIN}. 5 SRV 0 1 80 {name.upper()}.Endpoints.cluster.local.\n"
    )
    signs = ["-y", WIDE_512 if algorithm == "hmac-sha512" else WIDE] if key else []
    options = [*signs, *(["-v"] if transport == "TCP" else [])]
    assert update(weft, f"update add {name}-before.{DOMAIN}. 5 A 10.0.0.1\n", *options, program=program) == ""
    before = serial(weft)  # the first change after a start leaves some out
    assert update(weft, changes, *options, program=program) == ""
    questions = [word for kind in ("A", "TXT", "SRV") for word in (f"{name}.{DOMAIN}", kind)]
    assert dig(weft, "+short", *questions).splitlines() == [
        "10.0.0.2",
        '"ready=true"',
        f"0 1 80 {name.lower()}.{DOMAIN}.",
    ]
    assert serial(weft) == before + 1
    assert "YXDOMAIN" in update(weft, changes, *options, program=program)
    assert serial(weft) == before + 1


FAILING = {
    "a name that is not there": ("prereq yxdomain no", "NXDOMAIN"),
    "a name that is there": ("prereq nxdomain is", "YXDOMAIN"),
    "a type that is not there": ("prereq yxrrset is", "NXRRSET", "AAAA"),
    "a type that is there": ("prereq nxrrset is", "YXRRSET", "A"),
    "other data": ("prereq yxrrset is", "NXRRSET", "A 10.0.0.8"),
}


@keyed
@programs
@pytest.mark.parametrize("case", FAILING)
def test_what_does_not_hold_lets_nothing_happen(weft: Weft, key: str, program: str, case: str) -> None:
    words, expected, *rest = FAILING[case]
    options = ["-y", key] if key else []
    assert update(weft, f"update add is.{DOMAIN}. 5 A 10.0.0.7\n", *options) == ""
    before = serial(weft)
    script = f"{words}.{DOMAIN}. {' '.join(rest)}\nupdate delete is.{DOMAIN}.\n"
    assert expected in update(weft, script, *options, program=program)
    assert (short(weft, "is", "A"), serial(weft)) == (["10.0.0.7"], before)


@programs
def test_records_sets_and_names_are_removed(weft: Weft, key: str, program: str) -> None:
    options = ["-y", key] if key else []
    add = "".join(f"update add gone.{DOMAIN}. 5 {rest}\n" for rest in ("A 10.0.0.1", "A 10.0.0.2", "TXT x", "AAAA ::1"))
    assert update(weft, add, *options, program=program) == ""
    assert update(weft, f"update delete gone.{DOMAIN}. A 10.0.0.1\n", *options, program=program) == ""
    assert short(weft, "gone", "A") == ["10.0.0.2"]
    assert update(weft, f"update delete gone.{DOMAIN}. TXT\n", *options, program=program) == ""
    assert (short(weft, "gone", "TXT"), short(weft, "gone", "AAAA")) == ([], ["::1"])
    assert update(weft, f"update delete gone.{DOMAIN}.\n", *options, program=program) == ""
    assert "status: NXDOMAIN" in dig(weft, f"gone.{DOMAIN}")


REFUSALS = {
    "unsigned where there are keys": (DOMAIN, "h", "", "REFUSED"),
    "another secret": (DOMAIN, "h", WIDE.replace("c2Vj", "c2Vi"), "BADSIG"),
    "another algorithm": (DOMAIN, "h", WIDE.replace("256", "512"), "BADKEY"),
    "an unknown key": (DOMAIN, "h", WIDE.replace("wide", "nobody"), "BADKEY"),
    "a name out of scope": (DOMAIN, "h", NARROW, "REFUSED"),
    "a derived name": ("cluster.local", "x.default.svc", WIDE, "REFUSED"),
    "a zone of somebody else": ("example.com", "h", WIDE, "NOTAUTH"),
}


@keyed
@pytest.mark.parametrize("case", REFUSALS)
def test_who_may_not_write_hears_why(weft: Weft, case: str) -> None:
    zone, name, used, word = REFUSALS[case]
    before = serial(weft)
    options = ["-y", used] if used else []
    assert word in update(weft, f"update add {name}.{zone}. 5 A 10.0.0.1\n", *options, zone=zone)
    assert serial(weft) == before


@keyed
def test_a_key_writes_in_its_scope(weft: Weft) -> None:
    assert update(weft, f"update add h.narrow.{DOMAIN}. 5 A 10.0.0.1\n", "-y", NARROW) == ""
    assert short(weft, "h.narrow", "A") == ["10.0.0.1"]


@pytest.mark.parametrize("program", ["dig", "kdig"])
def test_transfers(weft: Weft, key: str, program: str) -> None:
    options = ["-y", key] if key else []
    first = serial(weft)
    for number in range(2):
        assert update(weft, f"update add {program}{number}.{DOMAIN}. 5 A 10.0.0.{number}\n", *options) == ""
    whole = dig(weft, DOMAIN, "AXFR", key=key, program=program)
    assert serials(whole) == [first + 2] * 2
    assert {f"{program}0.{DOMAIN}.", f"{program}1.{DOMAIN}."} <= set(
        re.findall(r"^(\S+)\s+5\s+IN\s+A\s", whole, re.MULTILINE)
    )
    for transport in ("+tcp", "+notcp"):
        difference = dig(weft, transport, "+bufsize=1232", DOMAIN, f"IXFR={first}", key=key, program=program)
        assert serials(difference) == [first + 2, first, first + 1, first + 1, first + 2, first + 2]
        nothing = dig(weft, transport, DOMAIN, f"IXFR={first + 2}", key=key, program=program)
        assert serials(nothing) == [first + 2]
        unknown = dig(weft, "+tcp", DOMAIN, "IXFR=5", key=key, program=program)
        assert serials(unknown) == [first + 2] * 2


@pytest.mark.parametrize("program", ["dig", "kdig"])
def test_a_service_is_transferred_as_a_zone(weft: Weft, key: str, program: str) -> None:
    options = ["-y", key] if key else []
    lines = (f"{name}.default.{DOMAIN}. 5 {data}" for name, data in ONE_OF_EACH.items())
    assert update(weft, "".join(f"update add {line}\n" for line in lines), *options) == ""
    whole = dig(weft, "+tcp", f"web.default.{DOMAIN}", "AXFR", key=key, program=program)
    assert serials(whole) == [serial(weft)] * 2
    assert set(re.findall(rf"^(\S+)\.default\.{DOMAIN}\.\s+5\s", whole, re.MULTILINE)) == {"one.web", "_http._tcp.web"}
    nothing = dig(weft, f"web.default.{DOMAIN}", f"IXFR={serial(weft)}", key=key, program=program)
    assert serials(nothing) == [serial(weft)]


def test_a_difference_that_is_too_large_for_a_datagram(weft: Weft, key: str) -> None:
    first = serial(weft)
    add = "".join(f"update add large{number}.{DOMAIN}. 5 A 10.0.0.1\n" for number in range(100))
    assert update(weft, add, *(["-y", key] if key else [])) == ""
    assert serials(dig(weft, "+notcp", DOMAIN, f"IXFR={first}", key=key)) == [first + 1]
    assert serials(dig(weft, "+tcp", DOMAIN, f"IXFR={first}", key=key)) == [first + 1, first, first + 1, first + 1]


@keyed
@pytest.mark.parametrize("program", ["dig", "kdig"])
def test_who_may_read_what(weft: Weft, program: str) -> None:
    signed = dig(weft, DOMAIN, "SOA", key=NARROW, program=program)
    assert "NOERROR" in signed
    assert "narrow" in signed
    assert not re.search(r"(?i)badsig|couldn.t verify|error", re.sub("NOERROR", "", signed))
    for used in ("", NARROW):
        argv = ["dig", *at(weft), *(["-y", used] if used else []), DOMAIN, "AXFR"]
        assert "Transfer failed" in run(*argv).stdout.decode()


def at(weft: Weft) -> list[str]:
    host, _, port = weft.network.dns.rpartition(":")
    return [f"@{host}", "-p", port]
