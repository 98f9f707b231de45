"""Where the Docker Engine is that a node uses, and what to install to speak to it; imports no library for it."""

from __future__ import annotations

import os
from typing import Final

from config.settings import NodeConfigSpec
from discovery.platforms.making import CannotMake

DOCKER_HOST: Final = "unix:///var/run/docker.sock"
"""Where an engine is unless something else is said."""

_ADDRESSES: Final = ("unix://", "tcp://", "http://", "https://")


def engine_of(node: NodeConfigSpec) -> str:
    """Its URL.  Raises CannotMake for what is no URL of an engine."""
    asked = node.docker.host
    host = asked or os.environ.get("DOCKER_HOST", "") or DOCKER_HOST
    if not host.startswith(_ADDRESSES) or host in _ADDRESSES:
        where = "spec.docker.host of the NodeConfig" if asked else "DOCKER_HOST"
        raise CannotMake(f"{where} is {host!r}, which is no address of an engine: write one such as {DOCKER_HOST}")
    return host


def lacking(platform: str, error: ImportError) -> CannotMake:
    """What is said where the library is not installed."""
    install = ".venv/bin/pip install -e '.[docker]' in weft's clone"
    return CannotMake(f"the platform {platform} needs {error.name}: {install}")
