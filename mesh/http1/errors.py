"""What cannot be read is refused, with the reason that the other side and the log are given."""

from __future__ import annotations

from mesh.reasons import Reason


class Malformed(Exception):
    """A message that is not HTTP/1.1, or more of it than is allowed."""

    def __init__(self, reason: Reason, details: str = "") -> None:
        super().__init__(details or reason.details)
        self.reason = reason
        self.details = details or reason.details
        """One line of text in ASCII, without quotes."""
