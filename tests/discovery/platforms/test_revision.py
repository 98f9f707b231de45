from __future__ import annotations

import sys
from pathlib import Path

import pytest

from config.resources.core import Service, ServicePort
from config.resources.workloads import Container, ContainerPort, Deployment, EnvVar
from config.settings import NodeConfigSpec
from discovery.platforms.commands import Command
from discovery.platforms.revision import Revision, Target, revise
from discovery.workloads.runner import Unrunnable
from tests.discovery.platforms.local import PORT, config, deployment, service

IMAGES = NodeConfigSpec(images={"shop:v1": ("python3", "-m", "shop"), "side:v1": ("side",)})
MAIN = Container(name="main", image="shop:v1", ports=(PORT,))
SIDE = Container(name="side", image="side:v1")


def revised(*containers: Container, node: NodeConfigSpec = IMAGES, services: tuple[Service, ...] = ()) -> Revision:
    wanted = deployment(1, *containers)
    return revise(wanted, config(wanted, *services, node=node))


def test_commands_run_in_the_folder_of_the_file_that_gives_them(tmp_path: Path) -> None:
    (tmp_path / "node").mkdir()
    wanted = deployment(1, MAIN, Container(name="own", command=("./run",)))
    found = revise(wanted, config(wanted, node=IMAGES, folder=tmp_path))
    assert found.commands == (
        Command((sys.executable, "-m", "shop"), str(tmp_path)),
        Command(("./run",), str(tmp_path)),
    )


def test_without_sources_the_current_folder() -> None:
    assert revised(MAIN).commands[0].folder == str(Path.cwd())


SAME = {
    "a service that targets a declared port": service(ServicePort(port=80, target_port="http")),
    "a service that targets nothing here": service(ServicePort(port=80, target_port="other")),
}


@pytest.mark.parametrize("name", SAME)
def test_what_does_not_replace_replicas(name: str) -> None:
    assert revised(MAIN, services=(SAME[name],)).digest == revised(MAIN).digest


DIFFERENT: dict[str, tuple[Container, NodeConfigSpec]] = {
    "an environment": (Container(name="main", image="shop:v1", ports=(PORT,), env=(EnvVar("A", "1"),)), IMAGES),
    "the command of the image": (MAIN, NodeConfigSpec(images={"shop:v1": ("other",)})),
    "a port": (Container(name="main", image="shop:v1"), IMAGES),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_what_replaces_replicas(name: str) -> None:
    container, node = DIFFERENT[name]
    assert revised(container, node=node).digest != revised(MAIN).digest


def test_target_ports_that_nobody_declares() -> None:
    declared, dns = ServicePort(port=80, target_port=8080), ServicePort(port=53, protocol="UDP")
    found = revised(MAIN, SIDE, services=(service(declared, ServicePort(port=81, target_port="http"), dns),))
    assert found.ports == ((PORT, ContainerPort(container_port=53, protocol="UDP")), ())
    assert found.targets == {Target(8080, "TCP"), Target("http", "TCP"), Target(53, "UDP")}


def test_labels_carry_the_hash() -> None:
    found = revised(MAIN)
    assert found.labels == {"app": "shop", "pod-template-hash": found.digest}


def faults(wanted: Deployment, folder: Path | None = None) -> tuple[str, ...]:
    with pytest.raises(Unrunnable) as raised:
        revise(wanted, config(wanted, folder=folder))
    return raised.value.faults


def test_every_container_without_a_command_is_named(tmp_path: Path) -> None:
    assert faults(deployment(1, MAIN, SIDE), tmp_path) == (
        f"{tmp_path}/shop.yaml:3:1: Deployment/default/shop: spec.template.spec.containers[0].image: "
        "image 'shop:v1' has no command on this machine: add to the NodeConfig "
        f"`spec.images: {{shop:v1: [python3, -m, shop]}}` with the command that it runs ({tmp_path}/node.yaml)",
        f"{tmp_path}/shop.yaml:3:1: Deployment/default/shop: spec.template.spec.containers[1].image: "
        "image 'side:v1' has no command on this machine: add to the NodeConfig "
        f"`spec.images: {{side:v1: [python3, -m, side]}}` with the command that it runs ({tmp_path}/node.yaml)",
    )
