"""``make bench``: asks every question, or those that are named, and writes the page of results.

    python -m benchmarks [--rounds N] [--seconds S] [QUESTION...]

Raw figures go to ``benchmarks/results/QUESTION.json``; ``benchmarks/RESULTS.md`` and its plot are made of all
that are there.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import pkgutil
import sys
import time
from pathlib import Path

from benchmarks import page, questions
from benchmarks.answer import Answer
from benchmarks.machine import facts
from benchmarks.rig import require

RESULTS = Path(__file__).parent / "results"
PROGRAMS = ("nginx", "haproxy", "wrk", "taskset", "pgrep")


def main() -> int:
    names = [module.name for module in pkgutil.iter_modules(questions.__path__)]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("questions", nargs="*", metavar="QUESTION", help=f"one of {', '.join(names)}; default: all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    arguments = parser.parse_args()
    if unknown := set(arguments.questions) - set(names):
        parser.error(f"no such question: {', '.join(sorted(unknown))}")
    if missing := require(*PROGRAMS):
        print(
            f"benchmarks need {', '.join(missing)}: install nginx-light, haproxy, wrk, util-linux and procps",
            file=sys.stderr,
        )
        return 1
    for name in arguments.questions or names:
        ask(name, arguments.rounds, arguments.seconds)
    page.write(RESULTS)
    return 0


def ask(name: str, rounds: int, seconds: float) -> None:
    """Run one question, print what it found, keep it."""
    module = importlib.import_module(f"benchmarks.questions.{name}")
    print(f"\n{module.TITLE}")
    answer: Answer = module.run(rounds, seconds)
    for row in answer.rows:
        mark = {True: "ok  ", False: "MISS", None: "    "}[row.met]
        print(f"  {mark} {row.what:<70} {row.value:10.3f} {row.unit:<4} {row.held_to}")
    RESULTS.mkdir(exist_ok=True)
    kept = {"date": time.strftime("%Y-%m-%d"), "machine": facts(), **dataclasses.asdict(answer)}
    (RESULTS / f"{name}.json").write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
