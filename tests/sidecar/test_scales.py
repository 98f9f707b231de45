"""What is scaled to zero now, by the platform's word before the manifest's."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from config.configset import ConfigSet
from config.loader import load_text
from config.meta import Named, ObjectMeta
from config.resources.core import ConfigMap
from discovery.endpoint import WorkloadRef
from mesh.plan import BackendKey
from sidecar.scales import Scales
from tests.scenarios.manifests import deployment, listed, service
from tests.scenarios.weft import Network


def config_set(*numbers: int) -> ConfigSet:
    """A Service that selects as many Deployments as there are numbers, and one that selects nothing."""
    deployments = [deployment(f"web-{place}", number) for place, number in enumerate(numbers)]
    for each in deployments:
        labels = each["spec"]["template"]["metadata"]["labels"]
        labels["part"] = each["spec"]["selector"]["matchLabels"]["part"] = "web"
    web = service("web")
    web["spec"]["selector"] = {"part": "web"}
    return load_text(listed(Network.random(), *deployments, web, service("bare")), "test").config_set


def ref(name: str, kind: str = "Deployment") -> WorkloadRef:
    return WorkloadRef(kind, "default", name)


WEB = BackendKey("default", "web", "http")
CASES: dict[str, tuple[tuple[int, ...], dict[str, int], bool]] = {
    "as it is written": ((0,), {}, True),
    "more are written": ((1,), {}, False),
    "woken since": ((0,), {"web-0": 1}, False),
    "scaled down since": ((3,), {"web-0": 0}, True),
    "one of two": ((0, 0), {"web-1": 1}, False),
    "both of two": ((2, 0), {"web-0": 0}, True),
    "nobody is selected": ((), {}, False),
}


@pytest.mark.parametrize("case", CASES)
def test_who_is_asleep(case: str) -> None:
    written, live, asleep = CASES[case]
    known = config_set(*written)
    scales = Scales(lambda: known, lambda name: live.get(name.name))
    assert scales.asleep(WEB) is asleep
    assert not scales.asleep(WEB._replace(service="bare"))
    assert not scales.asleep(WEB._replace(service="none"))


def test_manifests_that_change_are_looked_at_again() -> None:
    in_force: list[ConfigSet | None] = [None]
    scales = Scales(lambda: in_force[0], lambda name: None)
    said = []
    for number in (None, 0, 1, 0):
        in_force[0] = None if number is None else config_set(number)
        said.append(scales.asleep(WEB))
    assert said == [False, True, False, True]


def test_what_is_behind_a_service_here_and_elsewhere() -> None:
    known = config_set(0, 1)
    scales = Scales(lambda: known, lambda name: 0)
    assert scales.behind(WEB) == (*map(ref, ("web-0", "web-1")), ref("web", "SwarmService"))
    scales.elsewhere = lambda service: (ref(f"{service.metadata.name}-far"),)
    assert scales.behind(WEB._replace(service="bare")) == (ref("bare-far"), ref("bare", "SwarmService"))
    assert scales.behind(WEB._replace(service="none")) == ()
    assert not scales.asleep(WEB._replace(service="bare")), "how many there are is not known here"


def test_services_of_a_swarm_stand_behind_the_service_of_their_name_or_label() -> None:
    names = ConfigMap(ObjectMeta(name="swarm-services.weft.dev"), {"default.blue": "default/bare"})
    known = replace(config_set(), config_maps={Named("default", "swarm-services.weft.dev"): names})
    sizes: dict[str, int] = {"bare": 0, "blue": 1}
    scales = Scales(lambda: known, lambda name: None)
    scales.sizes.append(lambda name: sizes.get(name.name))
    bare = WEB._replace(service="bare")
    assert scales.behind(bare) == (ref("bare", "SwarmService"), ref("blue", "SwarmService"))
    assert not scales.asleep(bare)
    sizes["blue"] = 0
    assert scales.asleep(bare)
    sizes.clear()
    assert not scales.asleep(bare), "how many there are is not known here"


def test_who_is_no_manager_knows_what_the_registry_says() -> None:
    known, said = config_set(), {"blue": 0}
    scales = Scales(lambda: known, lambda name: None)
    scales.sizes += [lambda _: None, lambda name: said.get(name.name)]
    scales.elsewhere = lambda service: (ref("blue", "SwarmService"),) if service.metadata.name == "bare" else ()
    bare = WEB._replace(service="bare")
    assert scales.behind(bare) == (ref("blue", "SwarmService"), ref("bare", "SwarmService"))
    assert scales.asleep(bare)
    scales.elsewhere = lambda service: (ref("bare", "SwarmService"),)
    assert scales.behind(bare) == (ref("bare", "SwarmService"),), "each once"
    assert not scales.asleep(bare), "how many there are is not known"
    scales.told = {ref("bare", "SwarmService")}.__contains__
    assert scales.behind(bare) == (ref("bare", "SwarmService"),)
    scales.elsewhere = lambda _: ()
    assert scales.behind(bare) == (), "its label names another Service"
    assert scales.behind(WEB) == (ref("web", "SwarmService"),)


def test_deployments_are_looked_for_once() -> None:
    known, asked = config_set(0), []

    def desired(name: Named) -> int:
        asked.append(name)
        return 0

    scales = Scales(lambda: known, desired)
    assert all(scales.asleep(WEB) for _ in range(3))
    assert asked == [Named("default", "web-0")] * 3
