"""Other paths: whole ones, and other beginnings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.filters.place import Place, host_name
from tests.texts import begun


@pytest.mark.parametrize(
    ("path", "prefix", "matched", "target", "expected"),
    [
        ("", "", "", "/a?b", "/a?b"),
        ("/x", "", "", "/a/b", "/x"),
        ("/x", "", "", "/a?q=1?2", "/x?q=1?2"),
        ("/x", "", "", "/a?", "/x?"),
        ("", "/xyz", "/foo", "/foo/bar", "/xyz/bar"),
        ("", "/xyz/", "/foo", "/foo/bar", "/xyz/bar"),
        ("", "/xyz", "/foo", "/foo", "/xyz"),
        ("", "/xyz", "/foo", "/foo/", "/xyz/"),
        ("", "/", "/foo", "/foo/bar", "/bar"),
        ("", "/", "/foo", "/foo/", "/"),
        ("", "/", "/foo", "/foo", "/"),
        ("", "/", "/foo", "/foo?a=/../b", "/?a=/../b"),
        ("", "/xyz", "", "/bar", "/xyz/bar"),
        ("", "/xyz", "", "/", "/xyz/"),
        ("", "/", "", "/bar", "/bar"),
        ("", "/xyz", "/foo", "/%66oo/bar", "/xyz/bar"),
        ("", "/xyz", "/foo", "/a/../foo/bar", "/xyz/bar"),
        ("", "/xyz", "/foo", "/foo/a/../../foo/bar", "/xyz/bar"),
        ("", "/xyz", "/foo", "/foo/%2e%2e/foo/bar", "/xyz/bar"),
        ("", "/xyz", "/foo", "/foo/a%2Fb//c", "/xyz/a%2Fb//c"),
        ("/x", "", "", "*", "*"),
        ("", "/x", "", "*", "*"),
    ],
)
def test_where_a_target_leads(path: str, prefix: str, matched: str, target: str, expected: str) -> None:
    assert Place(path, prefix, matched.encode())(target.encode()) == expected.encode()


STEPS = st.sampled_from(["/", "/.", "/..", "/%2e%2e", "/%2E%2e", "/foo", "/a"])


@given(st.builds("/foo{}{}".format, st.lists(STEPS).map("".join), st.just("") | begun("?", "a.", 10)))
def test_no_dots_lead_out_of_the_new_beginning(target: str) -> None:
    from mesh.paths import matched_path

    if matched_path(target.encode())[:4] != b"/foo":
        return
    place = Place("", "/safe/in", b"/foo")
    assert matched_path(place(target.encode())).startswith(b"/safe/in")


@pytest.mark.parametrize("path", ["x", "/a b", "/a\r\nb", "/a?b", "/a#b", "/\u00e9", "/\x7f"])
def test_what_is_no_path_is_refused(path: str) -> None:
    for arguments in ((path, ""), ("", path)):
        with pytest.raises(ValueError, match="is not a path"):
            Place(*arguments, b"")


@pytest.mark.parametrize(
    ("host", "expected"), [("", b""), ("a.example", b"a.example"), ("192.0.2.1", b"192.0.2.1"), ("::1", b"[::1]")]
)
def test_hosts(host: str, expected: bytes) -> None:
    assert host_name(host) == expected


@pytest.mark.parametrize("host", ["a\r\nb", "a b", "a/b", "a@b", "\u00e9"])
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="is not a host"):
        host_name(host)
