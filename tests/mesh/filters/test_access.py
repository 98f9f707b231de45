"""Who may come in."""

from __future__ import annotations

import pytest

from config.filters import AccessPolicy
from mesh.filters import access
from mesh.filters.access import Access
from tests.mesh.filters.asking import query


@pytest.mark.parametrize(
    ("allow", "deny", "client", "admitted"),
    [
        ((), (), "192.0.2.1", True),
        (("192.0.2.0/24",), (), "192.0.2.1", True),
        (("192.0.2.0/24",), (), "192.0.3.1", False),
        (("192.0.2.1",), (), "192.0.2.1", True),
        (("192.0.2.1",), (), "192.0.2.2", False),
        ((), ("192.0.2.0/24",), "192.0.2.1", False),
        ((), ("192.0.2.0/24",), "192.0.3.1", True),
        (("192.0.2.0/24",), ("192.0.2.7",), "192.0.2.7", False),
        (("192.0.2.0/24",), ("192.0.2.7",), "192.0.2.8", True),
        (("2001:db8::/32",), (), "2001:db8::1", True),
        (("2001:db8::/32",), (), "2001:db9::1", False),
        (("192.0.2.0/24",), (), "::ffff:192.0.2.1", True),
        ((), ("192.0.2.0/24",), "::ffff:192.0.2.1", False),
        (("fe80::/10",), (), "fe80::1%eth0", True),
        (("0.0.0.0/0",), (), "::1", False),
        (("0.0.0.0/0",), (), "not an address", False),
        ((), ("0.0.0.0/0",), "not an address", False),
        ((), (), "not an address", True),
    ],
)
def test_who_is_admitted(allow: tuple[str, ...], deny: tuple[str, ...], client: str, admitted: bool) -> None:
    check = Access(AccessPolicy(allow, deny))
    for _ in range(2):
        reply = check(query(client=client))
        assert (reply is None) == admitted
        assert reply is None or reply.reason.status == 403


def test_verdicts_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "REMEMBERED", 4)
    check = Access(AccessPolicy(deny=("10.0.0.0/31",)))
    for _ in range(2):
        assert [check.admits(f"10.0.0.{n}") for n in range(20)] == [False, False] + [True] * 18
        assert len(check._known) <= 4
