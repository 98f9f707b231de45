from __future__ import annotations

import pytest

from discovery.probes.target import ProbeTarget

TARGET = ProbeTarget("a-1", "web", "127.97.0.1", ports={8080: 31001, "http": 31001})


@pytest.mark.parametrize(("wanted", "real"), [(8080, 31001), ("http", 31001), (9090, 9090)])
def test_ports_mean_the_replicas_own(wanted: int | str, real: int) -> None:
    assert TARGET.port(wanted) == real


def test_an_unknown_name_says_so() -> None:
    with pytest.raises(LookupError, match="no containerPort is named metrics"):
        TARGET.port("metrics")
