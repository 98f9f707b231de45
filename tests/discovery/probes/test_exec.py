from __future__ import annotations

import pytest

from discovery.health import Finding, Outcome
from discovery.probes.exec import run


@pytest.mark.parametrize(
    ("code", "finding"),
    [
        (0, Finding(Outcome.SUCCESS)),
        (1, Finding(Outcome.FAILURE, "exit code 1")),
        (-9, Finding(Outcome.FAILURE, "exit code -9")),
    ],
)
async def test_exit_codes(code: int, finding: Finding) -> None:
    asked = []

    async def execute(argv: tuple[str, ...], timeout: float) -> int:
        asked.append((argv, timeout))
        return code

    assert await run(execute, ("cat", "/tmp/ready"), 3.0) == finding
    assert asked == [(("cat", "/tmp/ready"), 3.0)]


async def test_a_timeout_is_passed_on() -> None:
    async def execute(argv: tuple[str, ...], timeout: float) -> int:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        await run(execute, ("sleep", "9"), 1.0)


async def test_a_command_that_cannot_be_started_says_nothing_about_the_container() -> None:
    async def execute(argv: tuple[str, ...], timeout: float) -> int:
        raise FileNotFoundError(2, "No such file or directory")

    expected = Finding(Outcome.UNKNOWN, "cannot run nope: No such file or directory")
    assert await run(execute, ("nope",), 1.0) == expected


async def test_a_platform_without_exec_says_so() -> None:
    assert await run(None, ("true",), 1.0) == Finding(Outcome.UNKNOWN, "exec probes cannot be run on this platform")
