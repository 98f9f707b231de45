"""Latency while a configuration of 2,000 Services is read again every few seconds, beside nginx at rest."""

from __future__ import annotations

from pathlib import Path

from benchmarks.answer import Answer, Row, at_most
from benchmarks.manifests import addresses, many
from benchmarks.measure import in_turns, meanwhile, median
from benchmarks.questions.latency import RATE, latencies
from benchmarks.rig import Proxy, Rig, free_port

NAME = "reload"
EVERY = 5.0
"""Seconds between two changes of the file."""
TITLE = f"Latency at {RATE} requests a second while 2,000 Services of 10 endpoints reload every {EVERY:g} s"


def run(rounds: int, seconds: float) -> Answer:
    """p50, p99 and p99.9 of weft while it reloads and of nginx, which does not; the median over the rounds."""
    seconds = max(seconds, 2 * EVERY)
    answer = Answer(
        TITLE, f"`weft load` (open loop, counted from the due time), median of {rounds} rounds of {seconds:g} s"
    )
    with Rig() as rig:
        rig.start_backends(addresses(20))
        ip, port = "127.96.9.1", free_port()
        manifests = many(ip, port, 2000, 10, rig.backends[0])
        started = rig.start_weft(manifests, listens=[(ip, port)])
        weft = Proxy("weft, reloading", started.pid, f"http://{ip}:{port}")
        taken: dict[str, list[dict[str, float]]] = {"nginx": [], weft.name: []}
        nginx = rig.start_nginx()

        change = Changing(rig.dir / "weft" / "manifests.yaml")

        def at_rest() -> float:
            taken["nginx"].append(latencies(nginx, seconds))
            return taken["nginx"][-1]["p99"]

        def reloading() -> float:
            with meanwhile(EVERY, change):
                taken[weft.name].append(latencies(weft, seconds))
            return taken[weft.name][-1]["p99"]

        in_turns(rounds, {"nginx": at_rest, weft.name: reloading})
    for name, runs in taken.items():
        answer.series[name] = [one["p99"] * 1000 for one in runs]
        answer.rows.extend(
            Row(f"{name}, {p}", median([one[p] for one in runs]) * 1000, "ms") for p in ("p50", "p99", "p99.9")
        )
    ratio = median(answer.series[weft.name]) / median(answer.series["nginx"])
    answer.rows.append(at_most("weft, reloading / nginx, p99", ratio, "x", 2.0))
    return answer


class Changing:
    """Another Service of the file is there, or is not, at every call."""

    EXTRA = (
        "---\napiVersion: v1\nkind: Service\nmetadata: {name: extra}\n"
        "spec:\n  clusterIP: 127.96.200.1\n  ports:\n  - {name: http, port: 9999}\n"
    )

    def __init__(self, path: Path) -> None:
        self.path, self.text = path, path.read_text()
        self.is_there = False

    def __call__(self) -> None:
        self.is_there = not self.is_there
        replacement = self.path.with_suffix(".new")
        replacement.write_text(self.text + self.EXTRA * self.is_there)
        replacement.replace(self.path)
