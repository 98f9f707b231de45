"""What a user can put right, as an exception whose text says what is wrong and what to do about it."""

from __future__ import annotations

FAILURE = 1
"""Exit code: the command could not do what it was asked for."""
INTERRUPTED = 130
"""Exit code: a second Ctrl-C cut the stopping short (128 + SIGINT)."""
TERMINATED = 143
"""Exit code: a second SIGTERM did (128 + SIGTERM)."""


class UserError(Exception):
    """Ends the command with its text on stderr and its exit code, never with a stack trace."""

    def __init__(self, message: str, exit_code: int = FAILURE) -> None:
        super().__init__(message)
        self.exit_code = exit_code
