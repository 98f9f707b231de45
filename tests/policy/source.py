"""What the policy tests look at: the project's own modules, parsed."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FLOORS = ("config", "discovery", "mesh", "sidecar")
"""From the ground up."""


@dataclass(frozen=True)
class Module:
    name: str
    """Dotted, without a trailing ``__init__``."""
    path: Path
    text: str
    tree: ast.Module

    @property
    def floor(self) -> str:
        return self.name.split(".")[0]


@cache
def modules() -> tuple[Module, ...]:
    """Every module of the four packages."""
    found = []
    for floor in FLOORS:
        for path in sorted((ROOT / floor).rglob("*.py")):
            dotted = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            text = path.read_text()
            found.append(Module(dotted, path, text, ast.parse(text)))
    return tuple(found)


def imports(module: Module) -> set[str]:
    """Dotted names of all modules of ours that `module` imports, also inside functions and for types only."""
    names = {m.name for m in modules()}
    found: set[str] = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return {name for name in found if name in names}
