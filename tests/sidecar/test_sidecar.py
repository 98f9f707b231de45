"""The command line of ``weft sidecar``: what is wrong with it is said in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.meta import Named
from sidecar import cli
from sidecar.commands import sidecar
from sidecar.roles import Role

GOOD = ("sidecar", "--service", "default/app", "--port", "http=8080")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("sidecar", "x"), "--service"),
        (("sidecar", "--service", "default/app", "x"), "--port"),
        (("sidecar", "--service", "A/b", "--port", "http=80", "x"), "NAMESPACE/NAME"),
        (("sidecar", "--service", "a/b", "--port", "http", "x"), "NAME=TARGETPORT"),
        (GOOD, "PATH"),
    ],
)
def test_what_is_wrong_is_told(words: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(words)
    assert told in capsys.readouterr().err


def test_a_probe_that_is_none_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*GOOD, "--probe", "grpc", "x"]) == 1
    assert capsys.readouterr().err.startswith('weft: --probe: "grpc" is not')


def test_what_follows_is_the_applications(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Role] = []

    def start(role: Role, args: object) -> int:
        started.append(role)
        return 7

    monkeypatch.setattr(sidecar, "start", start)
    assert cli.main([*GOOD, "--port", "grpc=9", "x", "--", "app", "--port", "--", "y"]) == 7
    beside = started[0].beside
    assert beside is not None
    assert (beside.service, beside.ports) == (Named("default", "app"), (("http", 8080), ("grpc", 9)))
    assert beside.command == ("app", "--port", "--", "y")


@pytest.mark.parametrize(
    ("options", "told"),
    [(("--service", "default/none", "--port", "http=1"), "no such Service"), (GOOD[1:], "spec.registry.servers")],
)
def test_what_does_not_fit_the_manifests_is_told(
    options: tuple[str, ...], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service = '{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "app"}, '
    service += '"spec": {"ports": [{"name": "http", "port": 80}]}}'
    (tmp_path / "app.json").write_text(service)
    words = [
        "sidecar",
        *options,
        "--state",
        str(tmp_path / "state"),
        "--admin",
        "127.0.0.1:0",
        str(tmp_path / "app.json"),
    ]
    assert cli.main(words) == 1
    assert told in capsys.readouterr().err
