"""deploy/Dockerfile: built without a network on a base that has Python alone, and run as it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop import images
from tests.interop.engine import NEEDS_ENGINE, Engine
from tests.interop.programs import run
from tests.scenarios.weft import wait_for

ROOT = Path(__file__).resolve().parents[2]
MANIFESTS = """
kind: Deployment
apiVersion: apps/v1
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: web
        ports: [{containerPort: 8080}]
        readinessProbe: {httpGet: {port: 8080}, periodSeconds: 1}
---
kind: Service
apiVersion: v1
metadata: {name: web}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 80, targetPort: 8080, nodePort: 30080}]}
---
kind: NodeConfig
apiVersion: weft.dev/v1
metadata: {name: image}
spec:
  images: {web: [/opt/weft/bin/python, -m, http.server, $(PORT), --bind, $(HOST), --directory, /etc/weft]}
"""

pytestmark = [
    NEEDS_ENGINE,
    pytest.mark.soak,
    pytest.mark.skipif(not (ROOT / "build" / "wheels" / ".made").exists(), reason="`make wheels` has not been run"),
]


def told(engine: Engine, name: str) -> str:
    """What the container wrote."""
    return (engine.folder / f"data/containers/{name}/{name}-json.log").read_text()


def test_the_image_is_built_offline_and_serves_as_nobody(engine: Engine, tmp_path: Path) -> None:
    engine.docker("import", str(images.base(tmp_path / "base.tar")), "base")
    engine.docker(
        "build", "--network", "none", "--build-arg", "BASE=base", "--file", str(ROOT / "deploy/Dockerfile"),
        "--tag", "weft", str(ROOT),
    )  # fmt: skip
    manifests = tmp_path / "weft"
    manifests.mkdir()
    (manifests / "web.yaml").write_text(MANIFESTS)
    tmp_path.chmod(0o755)
    name = engine.run("--network", "host", "--volume", f"{manifests}:/etc/weft:ro", image="weft")
    wait_for(lambda: engine.inspect(name)["State"]["Health"]["Status"] == "healthy", lambda: told(engine, name), 60)
    wait_for(lambda: "web  2/2 replicas ready" in told(engine, name), lambda: told(engine, name))
    assert "default/web" in engine.docker("exec", name, "weft", "status")
    with engine.inside():
        assert b"web.yaml" in run("curl", "-sSf", "http://127.0.0.1:30080/").stdout
    assert engine.docker("exec", name, "/bin/cat", "/proc/1/status").splitlines()[8].split()[1:] == ["65532"] * 4
    engine.docker("stop", name)
    assert engine.inspect(name)["State"]["ExitCode"] == 0, told(engine, name)
