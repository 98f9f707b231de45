"""The channel: one TLS connection from each node to the registry, for all that is no DNS record.

Manifests come down; the serial in force, questions about drains, and stats frames go up.
"""
