"""Ingress v1, TLS: which certificate a name is shown, and what a Secret must be."""

from __future__ import annotations

from typing import Any

from mesh.compiler import Compiled
from tests.certificates import pair
from tests.conformance.entrance import HTTPS, compiled, errors, ingress, load, state


def secured(*tls: dict[str, Any], name: str = "i") -> dict[str, Any]:
    return ingress("Prefix / a", name=name, tls=list(tls))


def shown(made: Compiled, server_name: str) -> str:
    """The Secret whose certificate is shown to who asks for a name; empty: the one made here."""
    names = made.table.listeners[HTTPS].tls
    assert names is not None
    target = names.match(server_name)
    return target.secret.name  # type: ignore[union-attr]


def test_tls_entries_multiplex_by_server_name() -> None:
    secrets = pair("one.com").manifest("one"), pair("*.two.com").manifest("two")
    entries = {"hosts": ["one.com"], "secretName": "one"}, {"hosts": ["*.two.com"], "secretName": "two"}
    made = compiled(*secrets, secured(*entries))
    assert state(made) == "accepted"
    asked = ("one.com", "x.two.com", "y.x.two.com", "two.com", "else.com")
    assert [shown(made, name) for name in asked] == ["one", "two", "", "", ""]


def test_an_entry_may_be_without_a_secret() -> None:
    made = compiled(secured({"hosts": ["one.com"]}))
    assert (state(made), shown(made, "one.com")) == ("accepted", "")


def test_hosts_must_be_covered_by_the_certificate() -> None:
    made = compiled(pair("other.com").manifest("one"), secured({"hosts": ["one.com"], "secretName": "one"}))
    assert state(made) == "degraded"


def test_a_secret_of_another_namespace_is_none() -> None:
    far = pair("one.com").manifest("one")
    far["metadata"]["namespace"] = "other"
    config_set, faults = load(far, secured({"hosts": ["one.com"], "secretName": "one"}))
    assert [fault.path for fault in faults if "Secret" in fault.message or "secret" in fault.path] == [
        "spec.tls[0].secretName"
    ]
    assert config_set.ingresses


def test_a_tls_secret_has_certificate_and_key() -> None:
    broken = pair("one.com").manifest("one")
    del broken["data"]["tls.key"]
    assert len(errors(broken)) == 1
