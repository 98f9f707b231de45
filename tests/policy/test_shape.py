"""Sizes, twins and habits that reading alone would let slip."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.policy.source import ROOT, Module, modules

LONGEST_FILE = 350
LONGEST_FUNCTION = 60
TASK_OWNERS = "mesh/tasks, TaskGroup, or a class that cancels and awaits what it started"


def functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("module", modules(), ids=lambda m: m.name)
def test_files_and_functions_stay_short(module: Module) -> None:
    assert module.text.count("\n") <= LONGEST_FILE, "a file this long hides a missing noun"
    for function in functions(module):
        length = (function.end_lineno or 0) - function.lineno + 1
        assert length <= LONGEST_FUNCTION, f"{function.name} has {length} lines"


@pytest.mark.parametrize("module", modules(), ids=lambda m: m.name)
def test_every_module_says_what_it_is(module: Module) -> None:
    doc = ast.get_docstring(module.tree)
    assert doc or not module.text.strip(), "a module docstring states the idea"


TWINLESS = {"__main__", "__init__"}
"""A package's own file and ``__main__`` are exercised by the twins of what they start."""


@pytest.mark.parametrize("module", modules(), ids=lambda m: m.name)
def test_every_module_has_a_test_twin(module: Module) -> None:
    if module.path.stem in TWINLESS:
        return
    candidates = {f"test_{module.path.stem}.py", f"test_{module.path.parent.name}_{module.path.stem}.py"}
    folder = ROOT / "tests" / module.floor
    assert any(path.name in candidates for path in folder.rglob("test_*.py")), f"none of {candidates} in {folder}"


@pytest.mark.parametrize("module", modules(), ids=lambda m: m.name)
def test_nothing_is_left_open(module: Module) -> None:
    for word in ("TO" + "DO", "FIX" + "ME", "X" + "XX", "NotImplemented" + "Error"):
        assert word not in module.text


@pytest.mark.parametrize("module", modules(), ids=lambda m: m.name)
def test_no_error_is_swallowed_unseen(module: Module) -> None:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ExceptHandler):
            broad = node.type is None or (isinstance(node.type, ast.Name) and node.type.id == "Exception")
            silent = all(isinstance(statement, ast.Pass) for statement in node.body)
            assert not (broad and silent), f"{module.name}:{node.lineno}"
