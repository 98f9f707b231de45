"""A real Prometheus scrapes weft, and its PromQL drives a HorizontalPodAutoscaler of weft's."""

from __future__ import annotations

import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.interop.programs import free_ports, needs
from tests.scenarios.editing import Folder, serving_of
from tests.scenarios.manifests import deployment, service
from tests.scenarios.test_autoscaling import autoscaler, running, told
from tests.scenarios.world import all_well, load, ready, until

pytestmark = needs("prometheus")

QUERY = 'sum(rate(weft_http_requests_total{namespace="default",service="app"}[5s]))'
CONFIG = """
global: {{scrape_interval: 500ms, evaluation_interval: 1s}}
scrape_configs:
- job_name: weft
  static_configs: [{{targets: ["{target}"]}}]
"""


@contextmanager
def prometheus(folder: Path, port: int, target: str) -> Iterator[None]:
    folder.mkdir()
    (folder / "prometheus.yml").write_text(CONFIG.format(target=target))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                "prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}", "--query.lookback-delta=30s",
            ],
            stdout=log, stderr=log,
        )  # fmt: skip
        try:
            yield
        finally:
            process.terminate()
            process.wait(20)


def external(**target: str) -> dict[str, Any]:
    return {"type": "External", "external": {"metric": {"name": "app_rate"}, "target": target}}


def is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


async def test_promql_drives_an_autoscaler(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    settings = {"period": "1s", "prometheus": {"url": f"http://127.0.0.1:{port}", "timeout": "2s"}}
    folder = Folder(tmp_path / "manifests", autoscaler=settings)
    hpa = autoscaler(external(type="AverageValue", averageValue="10"))
    hpa["metadata"]["annotations"] = {"weft.dev/query.app_rate": QUERY}
    folder.put("app", deployment("app", 2), service("app", app="app"), hpa)
    with serving_of(folder) as weft:
        await until(lambda: told(weft).get("word") == "FailedGetExternalMetric", weft.told)
        assert "Prometheus cannot be asked" in told(weft)["metrics"][0]["failure"]
        assert running(weft) == 2, "what is not known takes nothing away, and adds nothing"
        with prometheus(tmp_path / "prometheus", port, weft.network.admin):
            await until(lambda: is_ready(port), (tmp_path / "prometheus/log").read_text)
            report = await load(weft.address("app"), rate=45, seconds=11, connections=16)
            assert all_well(report)
            found = told(weft)
            assert 3 <= found["desiredReplicas"] <= 8, found  # who was late sends faster for a while
            assert found["metrics"][0]["metric"] == "external metric app_rate(nil)"
            await until(lambda: len(ready(weft, "app")) == running(weft), weft.told)
            await until(lambda: running(weft) == 2, lambda: str(told(weft)))
        before = running(weft)
        await until(lambda: told(weft).get("word") == "FailedGetExternalMetric", lambda: str(told(weft)))
        assert running(weft) == before
