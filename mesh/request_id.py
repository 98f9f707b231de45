"""X-Request-Id: 16 hexadecimal digits, random per process and block, counted within a block.

An id need only be unique; counting within a random block costs a tenth of drawing each one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import chain

_SANE = re.compile(rb"[!-~]{1,128}")


def request_ids(randbytes: Callable[[int], bytes], end: bytes = b"") -> Iterator[bytes]:
    """Endless ids, each followed by `end`; `randbytes(n)` gives n random bytes."""
    counts = [b"%02x%b" % (n, end) for n in range(256)]
    return chain.from_iterable(_blocks(randbytes, counts))  # whose next one is had without a step of the interpreter


def _blocks(randbytes: Callable[[int], bytes], counts: list[bytes]) -> Iterator[Iterator[bytes]]:
    while True:
        block = randbytes(7).hex().encode()
        yield map(block.__add__, counts)


def acceptable(request_id: bytes) -> bool:
    """Whether an id that came with a request may be kept: printable and not over 128 bytes."""
    return _SANE.fullmatch(request_id) is not None
