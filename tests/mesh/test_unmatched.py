"""Who meets no rule is told what was looked for, in words that break out of nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.http1.answer import answer
from mesh.reasons import NOT_ROUTED
from mesh.unmatched import LONGEST_SHOWN, looked_for


@pytest.mark.parametrize(
    ("host", "target", "text"),
    [
        (b"shop.example", b"/cart", "host shop.example and path /cart"),
        (b"shop.example", b"/a/../cart?secret=1", "host shop.example and path /cart"),
        (b"", b"*", "host (none) and path *"),
        (b"[::1]", b"/", "host [::1] and path /"),
        (b"a", b'/"quoted\\', "host a and path /%22quoted%5C"),
        (b"a", b"/<script>", "host a and path /%3Cscript%3E"),
        (b"a", b"/" + b"x" * 500, "host a and path /" + "x" * (LONGEST_SHOWN - 1) + "..."),
        (b"h" * 200, b"/", "host " + "h" * LONGEST_SHOWN + "... and path /"),
    ],
)
def test_what_is_told(host: bytes, target: bytes, text: str) -> None:
    assert looked_for(host, target) == f"nothing is served here for {text}"


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_it_is_bounded_and_fits_into_a_quoted_string(host: bytes, target: bytes) -> None:
    text = looked_for(host, b"/" + target)
    assert text.isascii()
    assert text.isprintable()
    assert not set('"\\<>') & set(text)
    assert len(text) < 2 * 3 * LONGEST_SHOWN + 100
    whole = answer(NOT_ROUTED, text, b"", head_only=False, close=False)
    assert whole.startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert whole.count(b"\r\n\r\n") == 1
