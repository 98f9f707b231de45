"""Latency at a rate that all can hold, corrected for coordinated omission; ours also while it is scraped."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.answer import Answer, Row, at_most
from benchmarks.manifests import three
from benchmarks.measure import in_turns, meanwhile, median
from benchmarks.rig import LOAD_CORE, Proxy, Rig, free_port

NAME = "latency"
RATE = 2000
TITLE = f"Latency at {RATE} requests a second, 64 connections"


def run(rounds: int, seconds: float) -> Answer:
    """p50, p99 and p99.9 of every contender, the median over the rounds."""
    answer = Answer(
        TITLE, f"`weft load` (open loop, counted from the due time), median of {rounds} rounds of {seconds:g} s"
    )
    with Rig() as rig:
        rig.start_backends()
        ip, http, tcp = "127.96.9.1", free_port(), free_port()
        started = rig.start_weft(three(ip, http, tcp, rig.backends), listens=[(ip, http)])
        weft = Proxy("weft", started.pid, f"http://{ip}:{http}")
        contenders: dict[str, Callable[[], dict[str, float]]] = {
            p.name: partial(latencies, p, seconds)
            for p in (rig.start_nginx(), rig.start_haproxy(), rig.start_envoy(), weft)
        }
        contenders["weft, scraped each second"] = partial(scraped, weft, seconds, f"{started.admin}/metrics")
        taken: dict[str, list[dict[str, float]]] = {name: [] for name in contenders}
        in_turns(rounds, {name: partial(collect, taken[name], measure) for name, measure in contenders.items()})
    for name, runs in taken.items():
        answer.series[name] = [one["p99"] * 1000 for one in runs]
        answer.rows.extend(
            Row(f"{name}, {p}", median([one[p] for one in runs]) * 1000, "ms") for p in ("p50", "p99", "p99.9")
        )
    nginx = median([one["p99"] for one in taken["nginx"]])
    for name in ("weft", "weft, scraped each second"):
        p99, p999 = (median([one[p] for one in taken[name]]) for p in ("p99", "p99.9"))
        answer.rows.append(at_most(f"{name} / nginx, p99", p99 / nginx, "x", 2.0))
        answer.rows.append(at_most(f"{name}, p99.9", p999 * 1000, "ms", 10.0))
    return answer


def collect(into: list[dict[str, float]], measure: Callable[[], dict[str, float]]) -> float:
    into.append(measure())
    return into[-1]["p99"]


def latencies(proxy: Proxy, seconds: float) -> dict[str, float]:
    """Corrected latencies in seconds; raises RuntimeError when an answer failed or the rate was not held."""
    weft = Path(sys.executable).with_name("weft")
    argv = ["taskset", "-c", LOAD_CORE, str(weft), "load", f"{proxy.http}/", "--rate", str(RATE)]
    argv += ["--duration", f"{seconds:g}", "--connections", "64", "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=seconds + 60)
    report = json.loads(done.stdout)
    if report["errors"] or report["answered"] < 0.98 * RATE * seconds:
        raise RuntimeError(f"{proxy.name}: {done.stdout}")
    latency: dict[str, float] = report["latency"]
    return latency


def scraped(proxy: Proxy, seconds: float, url: str) -> dict[str, float]:
    def scrape() -> None:
        with urllib.request.urlopen(url, timeout=10) as answer:
            answer.read()

    with meanwhile(1.0, scrape):
        return latencies(proxy, seconds)
