"""Kubernetes' kinds as frozen types: the fields that Weft acts on, and their static defaults.

One module per API group.  A field that is not here but that Kubernetes knows is accepted and noticed
once (``config/vocabulary``); a field that Kubernetes does not know is an error.
"""
