"""Floor 4: how a process is put together: command line, roles, admin.  Knows nothing of parsing requests."""
