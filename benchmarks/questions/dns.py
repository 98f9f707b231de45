"""DNS answers beside BIND and Knot: the addresses of 100 Services, and names that do not exist."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from functools import partial

from benchmarks.answer import Answer, Row, at_least
from benchmarks.measure import cpu_seconds, in_turns, median
from benchmarks.rig import LOAD_CORE, PROXY_CORE, Rig, accepts, free_port, require, wait_for

NAME = "dns"
TITLE = "DNS: addresses of 100 Services, by UDP"
SERVICES = 100
LEAST = 0.5
"""Of BIND's answers per core-second."""
CASES = {
    "names that exist": "svc{number}.default.svc.cluster.local A",
    "names that do not": "absent{number}.default.svc.cluster.local A",
}


def run(rounds: int, seconds: float) -> Answer:
    """Answers per core-second of all, in turns."""
    if missing := require("named", "knotd", "dnsperf"):
        raise FileNotFoundError(f"the question dns needs {', '.join(missing)}: install bind9, knot and dnsperf")
    answer = Answer(
        TITLE, f"answers per second of the server's CPU time, median of {rounds} rounds of {seconds:g} s, in turns"
    )
    with Rig() as rig:
        (rig.dir / "cluster.local.zone").write_text(zone())
        servers = {"bind": start_bind(rig), "knot": start_knot(rig), "weft": start_weft(rig)}
        for case, pattern in CASES.items():
            questions = rig.dir / f"{case}.txt"
            questions.write_text("".join(f"{pattern.format(number=number)}\n" for number in range(SERVICES)))
            burst: dict[str, Callable[[], float]] = {
                name: partial(per_core_second, pid, port, str(questions), seconds)
                for name, (pid, port) in servers.items()
            }
            figures = in_turns(rounds, burst)
            answer.series.update({f"{name}, {case}": values for name, values in figures.items()})
            medians = {name: median(values) for name, values in figures.items()}
            answer.rows.extend(Row(f"{name}, {case}", value, "/s") for name, value in medians.items())
            answer.rows.append(at_least(f"weft / bind, {case}", medians["weft"] / medians["bind"], "x", LEAST))
            answer.rows.append(Row(f"weft / knot, {case}", medians["weft"] / medians["knot"], "x"))
    return answer


def address(number: int) -> str:
    return f"127.96.7.{number + 1}"


def zone() -> str:
    """What weft says of the Services, for the peers."""
    lines = ["$TTL 5", "@ SOA ns.dns hostmaster 1 7200 1800 86400 1", "@ NS ns.dns", "ns.dns A 127.0.0.1"]
    lines += [f"svc{number}.default.svc A {address(number)}" for number in range(SERVICES)]
    return "\n".join([*lines, ""])


def services() -> str:
    """The Services of the zone; nothing listens for them, so that all that weft does is DNS."""
    text = (
        "apiVersion: v1\nkind: Service\nmetadata: {{name: svc{number}}}\n"
        "spec: {{clusterIP: {address}, ports: [{{name: http, port: 8080}}]}}\n"
    )
    return "---\n".join(text.format(number=number, address=address(number)) for number in range(SERVICES))


def start_bind(rig: Rig) -> tuple[int, int]:
    port = free_port()
    process = rig.start(PROXY_CORE, ["named", "-g", "-n", "1", "-c", str(rig.configure("named.conf", port=port))])
    wait_for(lambda: accepts("127.0.0.1", port), "BIND")
    return process.pid, port


def start_knot(rig: Rig) -> tuple[int, int]:
    port = free_port()
    process = rig.start(PROXY_CORE, ["knotd", "-c", str(rig.configure("knot.conf", port=port))])
    wait_for(lambda: accepts("127.0.0.1", port), "Knot")
    return process.pid, port


def start_weft(rig: Rig) -> tuple[int, int]:
    port = free_port()
    weft = rig.start_weft(services(), node=f"dns: '127.0.0.1:{port}'")
    wait_for(lambda: accepts("127.0.0.1", port), "weft's DNS")
    return weft.pid, port


def per_core_second(pid: int, port: int, questions: str, seconds: float) -> float:
    """One burst of dnsperf; raises RuntimeError when a question was lost or answered wrongly."""
    argv = ["taskset", "-c", LOAD_CORE, "dnsperf", "-s", "127.0.0.1", "-p", str(port), "-d", questions]
    before = cpu_seconds(pid)
    done = subprocess.run(
        [*argv, "-l", f"{seconds:g}", "-c", "16", "-q", "64"],
        capture_output=True, text=True, check=True, timeout=seconds + 60,
    )  # fmt: skip
    cpu = cpu_seconds(pid) - before
    completed = re.search(r"Queries completed:\s+(\d+)", done.stdout)
    codes = re.search(r"Response codes:\s+(.*)", done.stdout)
    expected = "NXDOMAIN" if "not" in questions else "NOERROR"
    if not completed or not codes or not codes[1].startswith(f"{expected} ") or "," in codes[1]:
        raise RuntimeError(done.stdout)
    return int(completed[1]) / cpu
