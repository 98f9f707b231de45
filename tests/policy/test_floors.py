"""Imports only ever point down, and never in a circle."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from tests.policy.source import FLOORS, ROOT, Module, imports, modules

MESH_MAY_IMPORT = {"discovery", "discovery.endpoint", "discovery.catalog", "discovery.backoff"}


@pytest.mark.parametrize("module", modules(), ids=lambda m: m.name)
def test_imports_point_down(module: Module) -> None:
    height = FLOORS.index(module.floor)
    upward = {name for name in imports(module) if FLOORS.index(name.split(".")[0]) > height}
    assert not upward, f"{module.name} imports from a floor above it"


@pytest.mark.parametrize("module", [m for m in modules() if m.floor == "mesh"], ids=lambda m: m.name)
def test_mesh_knows_only_the_seam_of_discovery(module: Module) -> None:
    assert {n for n in imports(module) if n.startswith("discovery")} <= MESH_MAY_IMPORT


def test_no_module_imports_relatively() -> None:
    for module in modules():
        for node in ast.walk(module.tree):
            assert not (isinstance(node, ast.ImportFrom) and node.level), f"{module.name}:{node.lineno}"


def test_no_import_cycles() -> None:
    graph = {m.name: imports(m) - {m.name} for m in modules()}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join([*trail[trail.index(name) :], name])
        if name in done:
            return
        for target in sorted(graph[name]):
            if not name.startswith(f"{target}."):  # a package is no part of its modules' logic
                visit(target, (*trail, name))
        done.add(name)

    for name in graph:
        visit(name, ())


HEAVY = {
    "config.configset": ("yaml", "aiohttp", "prometheus_client", "dns"),
    "config.aside": ("yaml", "aiohttp", "prometheus_client", "dns"),
    "discovery.catalog": ("yaml", "aiohttp", "prometheus_client", "dns"),
    "mesh.downstream": ("yaml", "aiohttp", "prometheus_client", "dns"),
    "sidecar.cli": ("yaml", "aiohttp", "prometheus_client", "dns"),
}


@pytest.mark.parametrize("name", HEAVY)
def test_light_modules_stay_light(name: str) -> None:
    """Resident memory is a figure we are held to, so heavy libraries are imported where they are used."""
    script = f"import sys, {name}; print(*sorted(m for m in {HEAVY[name]!r} if m in sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == []
