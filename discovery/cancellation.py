"""Cancellation that a task group hides: one that fails while it is cancelled raises its failure alone (before 3.13).

Whoever catches that failure and goes on would then never end.
"""

from __future__ import annotations

import asyncio


def end_if_cancelled() -> None:
    """Raise CancelledError if this task was to end; called after a group's failure was taken care of."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
