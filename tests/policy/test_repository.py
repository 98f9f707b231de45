"""The repository speaks of the software alone, and its pages say what is true."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.policy.source import ROOT

TEXT = {".py", ".md", ".toml", ".txt", ".yaml", ".yml", ".json", ".cfg", ".lua", ""}
FORBIDDEN = {
    "a machine's path": re.compile(r"(?<![\w.])/(?:work|root|home/\w+|Users/\w+)/"),
    "a registry's address": re.compile(r"(?:files\.pythonhosted|pypi\.org/simple|index-url|deb\.debian\.org)"),
}
PAGES = ("README.md", "SETTINGS.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/RESULTS.md")


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_trace_of_a_machine(what: str) -> None:
    for name in tracked():
        path = ROOT / name
        if path.suffix in TEXT and path != ROOT / "tests/policy/test_repository.py":
            found = FORBIDDEN[what].search(path.read_text(errors="replace"))
            assert not found, f"{name} has {what}: {found.group() if found else ''}"


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text()
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert ((ROOT / page).parent / target).exists(), f"{page} links to {target}"


def test_readme_commands_exist() -> None:
    text = (ROOT / "README.md").read_text()
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    used = set(re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE))
    assert {"demo", "test"} <= used
    assert used <= targets


def test_makefile_is_the_one_that_ci_calls() -> None:
    script = (ROOT / ".ci/run").read_text()
    assert "make check" in script
    assert "make test" in script
