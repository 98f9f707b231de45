"""Names of revisions and replicas, as Kubernetes makes those of ReplicaSets and Pods."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from random import Random

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""Kubernetes' own: no vowels, so that no words come about."""

HASH_LABEL = "pod-template-hash"


def digest_of(written: bytes) -> str:
    """A few letters for all that decides what a replica runs."""
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in hashlib.sha256(written).digest()[:6])


def replica_id(workload: str, digest: str, random: Random, taken: Collection[str] = ()) -> str:
    """A name such as ``payment-service-7f9c4b-x2x8q`` that is not among `taken`."""
    while True:
        name = f"{workload}-{digest}-{''.join(random.choices(_ALPHABET, k=5))}"
        if name not in taken:
            return name
