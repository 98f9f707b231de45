"""What the field promises, a row per statement: Kubernetes' contracts, defaults worth copying, and known traps.

Each module is one subject.  A row's name is the statement; what does not apply, or is not there yet, stands in
the module's `NOT_HERE` with the reason.
"""
