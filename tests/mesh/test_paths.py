"""Two spellings of one path come to one, other paths stay apart, and nothing leads out of the root."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.paths import matched_path, rule_path, without_dots


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/", b"/"),
        (b"/shop", b"/shop"),
        (b"/shop/", b"/shop/"),
        (b"/shop?x=/../y", b"/shop"),
        (b"/?", b"/"),
        (b"*", b"*"),
        (b"/a/./b", b"/a/b"),
        (b"/a/../b", b"/b"),
        (b"/a/b/..", b"/a/"),
        (b"/a/b/.", b"/a/b/"),
        (b"/..", b"/"),
        (b"/../../etc", b"/etc"),
        (b"/a/%2e%2E/b", b"/b"),
        (b"/a/.%2e/b", b"/b"),
        (b"/%73hop", b"/shop"),
        (b"/%7Euser", b"/~user"),
        (b"/a//b", b"/a//b"),
        (b"/a//../b", b"/a/b"),
        (b"//", b"//"),
        (b"/a%2Fb", b"/a%2Fb"),
        (b"/a%2fb", b"/a%2Fb"),
        (b"/..%2Fadmin", b"/..%2Fadmin"),
        (b"/%2573", b"/%2573"),
        (b"/100%", b"/100%"),
        (b"/%zz", b"/%zz"),
        (b"/.hidden", b"/.hidden"),
        (b"/...", b"/..."),
        (b"/a/.b/..c", b"/a/.b/..c"),
        (b"/caf%c3%a9", b"/caf%C3%A9"),
        (b"/a%3Fb", b"/a%3Fb"),
    ],
)
def test_matched_path(target: bytes, path: bytes) -> None:
    assert matched_path(target) == path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/shop", b"/shop"),
        ("/my docs", b"/my%20docs"),
        ("/café", b"/caf%C3%A9"),
        ("/caf%c3%a9", b"/caf%C3%A9"),
        ("/%73hop", b"/shop"),
        ("/a/../b", b"/b"),
        ("/100%", b"/100%"),
        ("", b""),
    ],
)
def test_rule_path(text: str, path: bytes) -> None:
    assert rule_path(text) == path


PATHS = st.lists(st.sampled_from([b"/", b".", b"..", b"a", b"%2e", b"%2F", b"%41", b"%"]), max_size=12).map(
    lambda parts: b"/" + b"".join(parts)
)


@given(PATHS)
def test_a_path_that_was_made_comparable_stays_and_has_no_dot_segment(path: bytes) -> None:
    made = without_dots(path)
    assert without_dots(made) == made
    assert made.startswith(b"/")
    assert not {b".", b".."} & set(made.split(b"/"))
