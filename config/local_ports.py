"""The annotation in which a Service carries the ports of 127.0.0.1 that it was given (``reach: ports``).

It is written when addresses are given out, over whatever a manifest says there, and so it passes wherever Services do.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import structs

from config.resources.core import Service

ANNOTATION = "weft.dev/local-ports"


def local_ports(service: Service) -> dict[str, int]:
    """By the keys of the Service's ports."""
    found = {}
    for word in service.metadata.annotations.get(ANNOTATION, "").split():
        key, _, number = word.rpartition(":")
        if number.isascii() and number.isdecimal():
            found[key] = int(number)
    return found


def with_local_ports(service: Service, given: Mapping[str, int]) -> Service:
    """`service`, which says that it has these."""
    text = " ".join(f"{key}:{number}" for key, number in given.items())
    annotations = {**service.metadata.annotations, ANNOTATION: text}
    return structs.replace(service, metadata=structs.replace(service.metadata, annotations=annotations))
