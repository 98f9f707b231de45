"""TLS termination beside nginx: CPU per request on connections that stay open, and full handshakes per core-second."""

from __future__ import annotations

import re
import subprocess
from base64 import b64encode
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.answer import Answer, Row, at_least, at_most
from benchmarks.manifests import three
from benchmarks.measure import cpu_seconds, in_turns, median
from benchmarks.rig import LOAD_CORE, Proxy, Rig, free_port, wrk

NAME = "tls"
TITLE = "TLS 1.3 termination at an Ingress, round robin over 3 endpoints"
PAIRS = {"ecdsa": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["rsa:2048"]}
HOST = "localhost"
HANDSHAKES = re.compile(r"(\d+) connections in ([\d.]+) real seconds")


def run(rounds: int, seconds: float) -> Answer:
    answer = Answer(
        TITLE,
        f"median of {rounds} rounds of {seconds:g} s each, in turns: CPU time of the proxy per request of 64 "
        "connections that stay open, and handshakes without resumption (openssl s_time) per second of its CPU time",
    )
    for pair in PAIRS:
        with Rig() as rig:
            rig.start_backends()
            make_pair(rig.dir, pair)
            proxies = [start_nginx(rig, pair), start_weft(rig, pair)]
            if pair == "ecdsa":
                keep_alive(answer, proxies, rounds, seconds)
            handshakes(answer, proxies, pair, rounds, seconds)
    return answer


def keep_alive(answer: Answer, proxies: list[Proxy], rounds: int, seconds: float) -> None:
    in_turns(1, {p.name: partial(cpu_per_request, p, 1) for p in proxies})
    figures = in_turns(rounds, {p.name: partial(cpu_per_request, p, seconds) for p in proxies})
    answer.series.update({f"{name}, keep-alive": values for name, values in figures.items()})
    medians = {name: median(values) for name, values in figures.items()}
    answer.rows.extend(Row(f"{name}, keep-alive", value, "us") for name, value in medians.items())
    answer.rows.append(at_most("weft / nginx, keep-alive", medians["weft"] / medians["nginx"], "x", 1.3))


def handshakes(answer: Answer, proxies: list[Proxy], pair: str, rounds: int, seconds: float) -> None:
    figures = in_turns(rounds, {p.name: partial(handshakes_per_core_second, p, seconds) for p in proxies})
    answer.series.update({f"{name}, {pair} handshakes": values for name, values in figures.items()})
    medians = {name: median(values) for name, values in figures.items()}
    answer.rows.extend(Row(f"{name}, {pair} handshakes", value, "/s") for name, value in medians.items())
    answer.rows.append(at_least(f"weft / nginx, {pair} handshakes", medians["weft"] / medians["nginx"], "x", 0.7))


def cpu_per_request(proxy: Proxy, seconds: float) -> float:
    return wrk(proxy, f"{proxy.http}/", seconds, script="heads.lua").cpu_per_request


def handshakes_per_core_second(proxy: Proxy, seconds: float) -> float:
    address = proxy.http.removeprefix("https://")
    argv = ["taskset", "-c", LOAD_CORE, "openssl", "s_time", "-connect", address, "-new", "-tls1_3"]
    before = cpu_seconds(proxy.pid)
    done = subprocess.run(
        [*argv, "-time", f"{max(round(seconds), 1)}"], capture_output=True, check=False, text=True, timeout=60
    )
    cpu = cpu_seconds(proxy.pid) - before
    counted = HANDSHAKES.search(done.stdout)
    if not counted:
        raise RuntimeError(f"{proxy.name}: {done.stdout} {done.stderr}")
    return int(counted[1]) / cpu


def make_pair(folder: Path, name: str) -> None:
    """A certificate and its key, as ``NAME.crt`` and ``NAME.key``."""
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", *PAIRS[name], "-nodes", "-days", "2", "-subj", f"/CN={HOST}",
            "-addext", f"subjectAltName=DNS:{HOST}", "-keyout", f"{name}.key", "-out", f"{name}.crt",
        ],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip


def start_nginx(rig: Rig, pair: str) -> Proxy:
    started = rig.start_nginx("nginx_tls.conf", pair=pair)
    return replace(started, http=f"https://{HOST}:{started.http.rpartition(':')[2]}")


def start_weft(rig: Rig, pair: str) -> Proxy:
    http, https = free_port(), free_port()
    node = f"ingress: {{http: '127.0.0.1:{http}', https: '127.0.0.1:{https}'}}"
    documents = [three("127.96.9.1", free_port(), free_port(), rig.backends), secret(rig.dir, pair), INGRESS]
    weft = rig.start_weft("---\n".join(documents), listens=[("127.0.0.1", https)], node=node)
    return Proxy("weft", weft.pid, f"https://{HOST}:{https}")


def secret(folder: Path, pair: str) -> str:
    crt, key = (b64encode((folder / f"{pair}.{end}").read_bytes()).decode() for end in ("crt", "key"))
    head = "apiVersion: v1\nkind: Secret\nmetadata: {name: bench}\ntype: kubernetes.io/tls\n"
    return f"{head}data: {{tls.crt: {crt}, tls.key: {key}}}\n"


INGRESS = """apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: bench}
spec:
  tls: [{secretName: bench}]
  defaultBackend: {service: {name: small, port: {name: http}}}
"""
