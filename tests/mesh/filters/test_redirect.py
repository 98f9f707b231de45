"""Redirects: the Location of every kind, and that it is one line of a whole URL."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from config.filters import RedirectPolicy
from mesh.filters.redirect import Redirect, SecureRedirect
from tests.mesh.filters.asking import query
from tests.texts import VISIBLE, begun


def location(policy: RedirectPolicy, target: str = "/a?b", matched: bytes = b"", **asked: Any) -> str:
    reply = Redirect(policy, matched)(query(target, **asked))
    assert reply is not None
    assert reply.reason.status == policy.status
    assert not reply.reason.error
    assert reply.fields.startswith(b"Location: ")
    assert reply.fields.endswith(b"\r\n")
    return reply.fields[10:-2].decode()


@pytest.mark.parametrize(
    ("policy", "host", "expected"),
    [
        (RedirectPolicy(scheme="https"), "shop.example", "https://shop.example/a?b"),
        (RedirectPolicy(scheme="https"), "shop.example:8080", "https://shop.example/a?b"),
        (RedirectPolicy(scheme="https", port=8443), "shop.example:8080", "https://shop.example:8443/a?b"),
        (RedirectPolicy(scheme="https", port=443), "shop.example", "https://shop.example/a?b"),
        (RedirectPolicy(host="new.example"), "shop.example:8080", "http://new.example:8080/a?b"),
        (RedirectPolicy(host="new.example"), "shop.example", "http://new.example/a?b"),
        (RedirectPolicy(host="new.example"), "shop.example:80", "http://new.example/a?b"),
        (RedirectPolicy(host="new.example"), "shop.example:", "http://new.example/a?b"),
        (RedirectPolicy(port=81), "shop.example:8080", "http://shop.example:81/a?b"),
        (RedirectPolicy(path="/new"), "shop.example", "http://shop.example/new?b"),
        (RedirectPolicy(path="/new"), "[::1]:8080", "http://[::1]:8080/new?b"),
        (RedirectPolicy(path="/new"), "[::1]", "http://[::1]/new?b"),
        (RedirectPolicy(host="::1", status=301), "shop.example", "http://[::1]/a?b"),
        (RedirectPolicy(prefix="/new", status=307), "shop.example", "http://shop.example/new/a?b"),
    ],
)
def test_locations(policy: RedirectPolicy, host: str, expected: str) -> None:
    assert location(policy, host=host) == expected


def test_a_part_of_the_path_is_replaced() -> None:
    assert location(RedirectPolicy(prefix="/new"), "/old/a", b"/old") == "http://shop.example/new/a"


def test_the_scheme_stays_that_of_the_client() -> None:
    assert location(RedirectPolicy(path="/x"), secure=True) == "https://shop.example/x?b"


def test_asterisks_lead_to_the_root() -> None:
    assert location(RedirectPolicy(scheme="https"), "*", method="OPTIONS") == "https://shop.example/"


@given(begun("/", VISIBLE, 40))
def test_no_path_leads_to_another_host(target: str) -> None:
    assert location(RedirectPolicy(scheme="https"), target).startswith("https://shop.example/")


def test_only_what_came_without_tls_is_sent_to_https() -> None:
    reply = SecureRedirect(8443)(query("/a"))
    assert reply is not None
    assert reply.reason.status == 308
    assert reply.fields == b"Location: https://shop.example:8443/a\r\n"
    assert SecureRedirect()(query("/a", secure=True)) is None
