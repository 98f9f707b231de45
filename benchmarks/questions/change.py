"""How long a table takes to compile, how long at a time it holds the loop, and how soon a change is in force.

This one runs Weft's own parts in a child process, without traffic: what is timed lies between the catalog and
the table in force, where there is no socket.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.answer import Answer, Row, at_most
from benchmarks.manifests import many, wide
from benchmarks.rig import PROXY_CORE

NAME = "change"
TITLE = "Compiling a large table, and putting one endpoint's change in force"
CASES = {
    "2,000 Services of 10": many("127.96.9.3", 80, 2000, 10, 9001),
    "1,000 endpoints": wide("127.96.9.2", 80, 1000, 9001),
}


def run(rounds: int, seconds: float) -> Answer:
    """Milliseconds; medians of `rounds` child processes, each of which makes 50 changes."""
    answer = Answer(
        TITLE, f"in a child process on the first core; median of {rounds} runs, the worst for the longest slice"
    )
    for case, manifests in CASES.items():
        runs = [child(manifests) for _ in range(rounds)]
        compiled = sorted(one["compile"] for one in runs)[len(runs) // 2]
        answer.rows.append(at_most(f"{case}: first table compiled and in force", compiled, "ms", 1000))
        answer.rows.append(at_most(f"{case}: longest hold of the loop", max(one["slice"] for one in runs), "ms", 5))
        changed = sorted(one["change_p50"] for one in runs)[len(runs) // 2]
        answer.rows.append(Row(f"{case}: one endpoint's change in force, median", changed, "ms"))
        worst = max(one["change_max"] for one in runs)
        answer.rows.append(at_most(f"{case}: one endpoint's change in force, worst of all", worst, "ms", 5))
    return answer


def child(manifests: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "manifests.yaml"
        path.write_text(manifests)
        argv = ["taskset", "-c", PROXY_CORE, sys.executable, "-m", "benchmarks.changing", str(path)]
        done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=120)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures
