"""Does a request through an Ingress cost the same with 500 hosts of 10 paths as with one host of one path?"""

from __future__ import annotations

from functools import partial

from benchmarks.answer import Answer, Row, at_most
from benchmarks.manifests import ingress, three
from benchmarks.measure import in_turns, median
from benchmarks.rig import Proxy, Rig, free_port, wrk

NAME = "ingress"
TITLE = "An Ingress of 500 hosts with 10 paths each, beside one host with one path"
SIZES = {"one host": (1, 1), "500 hosts of 10 paths": (500, 10)}
SCRIPT = """-- Every request names the next host and the next path, and no two are equal.
local n = 0
request = function()
  n = n + 1
  return wrk.format("GET", "/p" .. n % {paths} .. "/item?" .. n, {{["Host"] = "h" .. n % {hosts} .. ".test"}})
end
"""


def run(rounds: int, seconds: float) -> Answer:
    """CPU microseconds per request, in turns; a Service's own listener beside them."""
    answer = Answer(
        TITLE, f"CPU time per request, 64 connections, median of {rounds} rounds of {seconds:g} s, in turns"
    )
    with Rig() as rig:
        rig.start_backends()
        bursts = {}
        for number, (name, (hosts, paths)) in enumerate(SIZES.items(), 1):
            ip, door, http, tcp = f"127.96.9.{number}", free_port(), free_port(), free_port()
            manifests = "---\n".join([three(ip, http, tcp, rig.backends), ingress(hosts, paths)])
            node = f"ingress: {{http: '127.0.0.1:{door}'}}"
            started = rig.start_weft(manifests, f"weft-{number}", [("127.0.0.1", door)], node)
            script = rig.dir / f"hosts-{number}.lua"
            script.write_text(SCRIPT.format(hosts=hosts, paths=paths))
            through = Proxy(name, started.pid, f"http://127.0.0.1:{door}")
            bursts[name] = partial(cpu_per_request, through, seconds, str(script))
        direct = Proxy("no Ingress", started.pid, f"http://{ip}:{http}")
        bursts["no Ingress"] = partial(cpu_per_request, direct, seconds, str(script))
        figures = in_turns(rounds, bursts)
    answer.series.update(figures)
    medians = {name: median(values) for name, values in figures.items()}
    answer.rows.extend(Row(name, value, "us") for name, value in medians.items())
    large, small = medians["500 hosts of 10 paths"], medians["one host"]
    answer.rows.append(at_most("500 hosts of 10 paths / one host", large / small, "x", 1.1))
    return answer


def cpu_per_request(proxy: Proxy, seconds: float, script: str) -> float:
    wrk(proxy, f"{proxy.http}/", 1, script=script)  # connections that were idle between the turns are opened again
    return wrk(proxy, f"{proxy.http}/", seconds, script=script).cpu_per_request
