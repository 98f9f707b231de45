"""DNS answers beside BIND and Knot while endpoints change: addresses from a written zone, as UPDATEs come in."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

from benchmarks.answer import Answer, Row, at_least
from benchmarks.measure import in_turns, median
from benchmarks.questions.dns import per_core_second
from benchmarks.registering import EACH, change, records, register
from benchmarks.rig import PROXY_CORE, Rig, accepts, free_port, require, wait_for
from discovery.registry.wire import to_labels

NAME = "dnsperf"
TITLE = "DNS while endpoints change: addresses of 100 endpoints by UDP, 100 updates a second"
ENDPOINTS = 2000
ASKED = 100
UPDATES = 100
"""A second."""
LEAST = 0.6
"""Of BIND's answers per core-second."""
ZONE = "$TTL 5\n@ SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 1 1 604800 1\n@ NS ns.dns.cluster.local.\n"


def run(rounds: int, seconds: float) -> Answer:
    """Answers per core-second of all, in turns."""
    if missing := require("named", "knotd", "dnsperf"):
        raise FileNotFoundError(f"the question dnsperf needs {', '.join(missing)}: install bind9, knot and dnsperf")
    answer = Answer(
        TITLE,
        f"answers per second of the server's CPU time, which updates take part of; median of {rounds} rounds of "
        f"{seconds:g} s, in turns",
    )
    with Rig() as rig:
        for file in ("endpoints.zone", "endpoints.zone.knot"):
            (rig.dir / file).write_text(ZONE)
        questions = rig.dir / "asked.txt"
        questions.write_text("".join(f"{host(number)} A\n" for number in range(ASKED)))
        servers = {"bind": start_bind(rig), "knot": start_knot(rig), "weft": start_weft(rig)}
        for _, port in servers.values():
            register(port, ENDPOINTS, range(ENDPOINTS // EACH))
        burst: dict[str, Callable[[], float]] = {
            name: partial(while_changing, pid, port, str(questions), seconds) for name, (pid, port) in servers.items()
        }
        figures = in_turns(rounds, burst)
    answer.series.update(figures)
    medians = {name: median(values) for name, values in figures.items()}
    answer.rows.extend(Row(name, value, "/s") for name, value in medians.items())
    answer.rows.append(at_least("weft / bind", medians["weft"] / medians["bind"], "x", LEAST))
    answer.rows.append(Row("weft / knot", medians["weft"] / medians["knot"], "x"))
    return answer


def host(number: int) -> str:
    """The name that has the address of an endpoint."""
    return b".".join(to_labels(records(number, ENDPOINTS)[1].name)).decode()


def start_bind(rig: Rig) -> tuple[int, int]:
    port = free_port()
    configuration = rig.configure("named-updates.conf", port=port)
    process = rig.start(PROXY_CORE, ["named", "-g", "-n", "1", "-c", str(configuration)])
    wait_for(lambda: accepts("127.0.0.1", port), "BIND")
    return process.pid, port


def start_knot(rig: Rig) -> tuple[int, int]:
    port = free_port()
    process = rig.start(PROXY_CORE, ["knotd", "-c", str(rig.configure("knot-updates.conf", port=port))])
    wait_for(lambda: accepts("127.0.0.1", port), "Knot")
    return process.pid, port


def start_weft(rig: Rig) -> tuple[int, int]:
    port = free_port()
    weft = rig.start_weft("", node=f"dns: '127.0.0.1:{port}'", role="registry")
    wait_for(lambda: accepts("127.0.0.1", port), "weft's DNS")
    return weft.pid, port


def while_changing(pid: int, port: int, questions: str, seconds: float) -> float:
    """One burst of dnsperf beside updates; raises RuntimeError when one of these failed."""
    faults: list[Exception] = []

    def update() -> None:
        try:
            change(port, ENDPOINTS, ENDPOINTS, int(seconds * UPDATES), UPDATES)
        except (OSError, RuntimeError) as error:
            faults.append(error)

    updating = threading.Thread(target=update)
    updating.start()
    try:
        return per_core_second(pid, port, questions, seconds)
    finally:
        updating.join()
        if faults:
            raise RuntimeError(f"updates failed at port {port}") from faults[0]
