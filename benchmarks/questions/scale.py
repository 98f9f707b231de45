"""Does a request cost the same with 1,000 endpoints, and with 2,000 Services of 10, as with three endpoints?

Beside it, what 1,000 servers cost nginx, which looks at all of them for each request.
"""

from __future__ import annotations

import json
import re
import urllib.request
from functools import partial

from benchmarks.answer import Answer, Row, at_most
from benchmarks.manifests import addresses, many, three, wide
from benchmarks.measure import in_turns, median, resident
from benchmarks.rig import Proxy, Rig, free_port, wrk

NAME = "scale"
NGINX, NGINX_WIDE = "nginx, 3 servers", "nginx, 1,000 servers"
TITLE = "One Service of 1,000 endpoints, and 2,000 Services of 10, beside three endpoints"


def run(rounds: int, seconds: float) -> Answer:
    """CPU per request of three wefts and two nginx in turns, and the largest weft's memory."""
    answer = Answer(
        TITLE,
        f"CPU time per request, 64 connections, heads of 450 bytes that differ, "
        f"median of {rounds} rounds of {seconds:g} s, in turns",
    )
    with Rig() as rig:
        rig.start_backends(addresses(1000))
        ip, port, tcp = "127.96.9.1", free_port(), free_port()
        backend = rig.backends[0]
        cases = {
            "3 endpoints": three(ip, port, tcp, rig.backends),
            "1,000 endpoints": wide("127.96.9.2", port, 1000, backend),
            "2,000 Services of 10": many("127.96.9.3", port, 2000, 10, backend),
        }
        proxies = {}
        for number, (name, manifests) in enumerate(cases.items(), 1):
            address = f"127.96.9.{number}"
            started = rig.start_weft(manifests, f"weft-{number}", [(address, port)])
            proxies[name] = Proxy(name, started.pid, f"http://{address}:{port}", admin=started.admin)
        wide_servers = " ".join(f"server {address}:{backend};" for address in addresses(1000))
        proxies[NGINX] = rig.start_nginx()
        proxies[NGINX_WIDE] = rig.start_nginx("nginx_wide.conf", servers=wide_servers)
        figures = in_turns(rounds, {name: partial(cpu_per_request, p, seconds) for name, p in proxies.items()})
        large = proxies["2,000 Services of 10"]
        lag = loop_lag(large)
        memory = resident(large.pid) / 2**20
    answer.series.update(figures)
    medians = {name: median(values) for name, values in figures.items()}
    answer.rows.extend(Row(name, value, "us") for name, value in medians.items())
    for name in list(cases)[1:]:
        answer.rows.append(at_most(f"{name} / 3 endpoints", medians[name] / medians["3 endpoints"], "x", 1.1))
    answer.rows.append(Row(f"{NGINX_WIDE} / 3 servers", medians[NGINX_WIDE] / medians[NGINX], "x"))
    answer.rows.append(at_most("2,000 Services of 10: VmRSS", memory, "MB", 150))
    answer.rows.append(Row("2,000 Services of 10: longest loop lag lately, under load", lag * 1000, "ms"))
    return answer


def cpu_per_request(proxy: Proxy, seconds: float) -> float:
    burst = partial(wrk, proxy, f"{proxy.http}/", script="heads.lua")
    burst(1)  # connections that were idle between the turns are opened again
    return burst(seconds).cpu_per_request


def loop_lag(proxy: Proxy) -> float:
    """The longest loop lag that weft itself measured, in seconds."""
    with urllib.request.urlopen(f"{proxy.admin}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    found = re.search(r"^weft_loop_lag_seconds(?:\{[^}]*\})? (\S+)", text, re.MULTILINE)
    return float(found.group(1)) if found else json.loads("NaN")
