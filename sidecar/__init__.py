"""Floor 4: how a process is put together: command line, roles, admin.  Knows nothing of parsing requests."""

VERSION = "0.1.0"
"""The distribution's version, as in pyproject.toml; asking the installed metadata costs memory and time."""
