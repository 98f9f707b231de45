from __future__ import annotations

import pytest

from config.settings import DockerSettings, NodeConfigSpec
from discovery.platforms.docker.address import engine_of
from discovery.platforms.making import CannotMake


@pytest.mark.parametrize("host", ["nonsense", "ssh://there", "unix://"])
def test_what_is_no_address_of_an_engine(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(CannotMake, match=f"DOCKER_HOST is '{host}', which is no address"):
        engine_of(NodeConfigSpec())
    monkeypatch.delenv("DOCKER_HOST")
    with pytest.raises(CannotMake, match=f"spec.docker.host of the NodeConfig is '{host}'"):
        engine_of(NodeConfigSpec(docker=DockerSettings(host=host)))


@pytest.mark.parametrize(
    ("written", "environ", "engine"),
    [("tcp://a:1", "tcp://b:1", "tcp://a:1"), ("", "tcp://b:1", "tcp://b:1"), ("", "", "unix:///var/run/docker.sock")],
)
def test_whose_word_counts(monkeypatch: pytest.MonkeyPatch, written: str, environ: str, engine: str) -> None:
    monkeypatch.setenv("DOCKER_HOST", environ)
    assert engine_of(NodeConfigSpec(docker=DockerSettings(host=written))) == engine
