"""The page of results: a table per question, the machine's facts, and one plot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HEADER = """# Results

Made by `make bench` (see [the method](__init__.py)); every figure comes from the run whose date stands beside it,
and ratios compare peers of one run only. `MISS` marks what falls short.
"""
SOAK = Path(__file__).parent / "results" / "soak.md"


def write(results: Path) -> None:
    """Write ``RESULTS.md`` and ``results.png`` beside `results` from the JSON files in it."""
    answers = [json.loads(path.read_text()) for path in sorted(results.glob("*.json"))]
    parts = [HEADER, "![CPU per request, each run of each contender](results.png)\n"]
    parts += [section(answer) for answer in answers]
    if SOAK.exists():
        parts.append(SOAK.read_text())
    if answers:
        parts.append(machine(answers[-1]["machine"]))
        plot(answers, results.parent / "results.png")
    (results.parent / "RESULTS.md").write_text("\n".join(parts))


def section(answer: dict[str, Any]) -> str:
    lines = [f"## {answer['question']}", "", f"{answer['date']}. {answer['method']}.", ""]
    lines += ["| figure | value | held to | |", "|---|---:|---|---|"]
    for row in answer["rows"]:
        mark = {True: "met", False: "**MISS**", None: ""}[row["met"]]
        note = f" ({row['note']})" if row["note"] else ""
        lines.append(f"| {row['what']}{note} | {row['value']:.3g} {row['unit']} | {row['held_to']} | {mark} |")
    return "\n".join([*lines, ""])


def machine(facts: dict[str, str]) -> str:
    return "\n".join(["## The machine", "", *(f"- {name}: {value}" for name, value in facts.items()), ""])


def plot(answers: list[dict[str, Any]], target: Path) -> None:
    """Every run of every contender as a dot, a panel per question."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    shown = [answer for answer in answers if answer["series"]]
    figure, axes = plt.subplots(len(shown), 1, figsize=(9, 2.6 * len(shown)), squeeze=False)
    for axis, answer in zip(axes[:, 0], shown, strict=True):
        for place, (name, values) in enumerate(answer["series"].items()):
            colour = "tab:orange" if "weft" in name or "endpoints" in name or "Services" in name else "tab:grey"
            axis.plot(values, [place] * len(values), "o", color=colour, alpha=0.6)
        axis.set_yticks(range(len(answer["series"])), list(answer["series"]), fontsize=7)
        axis.set_title(answer["question"], fontsize=8)
        axis.set_xlim(left=0)
        axis.set_xlabel("p99, ms" if "Latency" in answer["question"] else "CPU per request, us", fontsize=7)
        axis.tick_params(axis="x", labelsize=7)
    figure.tight_layout()
    figure.savefig(target, dpi=110)
    plt.close(figure)
