"""Who stays when objects of before stand beside new ones: what was in force, and each object goes back once."""

from __future__ import annotations

import pytest

from config.configset import ConfigSet, Loaded
from config.meta import ObjectKey, ObjectMeta, Source
from config.resources.core import Service, ServicePort, ServiceSpec
from discovery.assignments import Assignments
from sidecar.settling import MOST_STEPS, refused, settle

Ports = dict[str, int]


def _port(number: int) -> tuple[ServicePort, ...]:
    return (ServicePort(80, node_port=number),)


def services(ports: Ports, file: str = "m.yaml") -> ConfigSet:
    return ConfigSet.of(
        (
            ObjectKey("Service", "default", name),
            Source(file, line, 1),
            Service(
                ObjectMeta(name, "default"), ServiceSpec(type="NodePort", ports=(ServicePort(80, node_port=port),))
            ),
        )
        for line, (name, port) in enumerate(ports.items(), 1)
    )


def ports_of(config_set: ConfigSet) -> Ports:
    return {named.name: item.spec.ports[0].node_port for named, item in config_set.services.items()}


CASES: dict[str, tuple[Ports, Ports, Ports, list[str]]] = {
    "nothing in common": ({"a": 30001}, {"a": 30001, "b": 30002}, {"a": 30001, "b": 30002}, []),
    "a newcomer": ({"b": 30001}, {"a": 30001, "b": 30001}, {"b": 30001}, ["a"]),
    "one goes back": ({"a": 30001, "b": 30002}, {"a": 30002, "b": 30002}, {"a": 30001, "b": 30002}, ["a"]),
    "one after the other goes back": (
        {"a": 30001, "b": 30002, "c": 30003},
        {"a": 30002, "b": 30003, "c": 30003, "d": 30001},
        {"a": 30001, "b": 30002, "c": 30003},
        ["a", "b", "d"],
    ),
    "two exchange": ({"a": 30001, "b": 30002}, {"a": 30002, "b": 30001}, {"a": 30002, "b": 30001}, []),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_in_force(name: str) -> None:
    had, wanted, expected, losers = CASES[name]
    before = services(had)
    loaded, allocated = settle(Loaded(services(wanted)), before, before, Assignments())
    assert ports_of(allocated.config_set) == expected
    assert sorted(key.name for key in refused(loaded.faults)) == losers
    assert sorted(key.name for key in loaded.kept) == [each for each in losers if each in had]


def test_what_was_kept_from_elsewhere_gives_way_without_a_word() -> None:
    own, stored = services({"b": 30001}), services({"a": 30001}, "stored.yaml")
    both = ConfigSet.of((key, each.sources[key], each.get(key)) for each in (own, stored) for key in each.sources)
    loaded = Loaded(both, kept=tuple(stored.sources))
    settled, allocated = settle(loaded, stored, ConfigSet(), Assignments(), {"stored.yaml"})
    assert ports_of(allocated.config_set) == {"b": 30001}
    assert (settled.faults, settled.kept) == ((), ())


def test_a_long_row_goes_back_as_a_whole() -> None:
    had = {f"s{i:03}": 30000 + i for i in range(100)}
    before = services(had)
    wanted = services({name: min(port + 1, 30099) for name, port in had.items()})
    loaded, allocated = settle(Loaded(wanted), before, before, Assignments())
    assert ports_of(allocated.config_set) == had
    assert len(refused(loaded.faults)) <= MOST_STEPS + 1
