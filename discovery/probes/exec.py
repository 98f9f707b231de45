"""exec: a command in the container that ends with 0 is a success.

How a command gets into the container is the platform's business (`ProbeTarget.execute`).
"""

from __future__ import annotations

from discovery.health import Finding, Outcome
from discovery.probes.target import Execute


async def run(execute: Execute | None, argv: tuple[str, ...], timeout: float) -> Finding:  # noqa: ASYNC109  - the platform's runner enforces it
    """Run `argv`; raises TimeoutError when it took too long."""
    if execute is None:
        return Finding(Outcome.UNKNOWN, "exec probes cannot be run on this platform")
    try:
        code = await execute(argv, timeout)
    except TimeoutError:
        raise
    except OSError as error:
        return Finding(Outcome.UNKNOWN, f"cannot run {argv[0] if argv else 'nothing'}: {error.strerror or error}")
    return Finding(Outcome.SUCCESS) if code == 0 else Finding(Outcome.FAILURE, f"exit code {code}")
