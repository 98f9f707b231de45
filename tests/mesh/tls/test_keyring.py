"""Secrets as certificates: what is kept, and what is said of those that cannot be used."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from config.meta import Named
from config.resources.core import Secret
from mesh.tls.keyring import Kept, certificate, kept
from tests.certificates import authority, pair

NAME = Named("default", "shop-tls")
GOOD = pair("shop.example").secret()
OTHER = authority().sign("shop.example").secret()


def mixed(**values: str) -> Secret:
    return replace(GOOD, string_data={key.replace("_", "."): value for key, value in values.items()})


CRT, KEY = GOOD.string_data["tls.crt"], GOOD.string_data["tls.key"]
BROKEN = {
    "no certificate": (mixed(tls_key=KEY), "it has no key tls.crt"),
    "no key": (mixed(tls_crt=CRT), "it has no key tls.key"),
    "garbage": (mixed(tls_crt="garbage", tls_key=KEY), "tls.crt holds no certificate"),
    "mismatched": (mixed(tls_crt=CRT, tls_key=OTHER.string_data["tls.key"]), "tls.key does not belong"),
    "no base64": (replace(GOOD, string_data={}, data={"tls.crt": "%", "tls.key": ""}), "tls.crt is not base64"),
}


def test_a_good_one() -> None:
    held = kept(NAME, {NAME: GOOD}, {})
    assert held.certificate is not None
    assert (held.certificate.secret, held.certificate.names, held.problem) == (NAME, ("shop.example",), "")
    assert kept(NAME, {NAME: GOOD}, {NAME: held}) is held, "sessions can be resumed as long as it is the same"


def test_a_changed_one() -> None:
    before = kept(NAME, {NAME: GOOD}, {})
    after = kept(NAME, {NAME: OTHER}, {NAME: before})
    assert after.certificate is not None
    assert after.certificate is not before.certificate


@pytest.mark.parametrize("case", BROKEN)
def test_broken_ones(case: str) -> None:
    secret, words = BROKEN[case]
    held = kept(NAME, {NAME: secret}, {})
    assert held.certificate is None
    assert held.problem.startswith(f"Secret shop-tls: {words}")
    assert "PRIVATE" not in held.problem.replace("-----BEGIN PRIVATE KEY-----", "")


@pytest.mark.parametrize("case", BROKEN)
def test_what_was_there_before_stays_in_use(case: str) -> None:
    secret, words = BROKEN[case]
    good = kept(NAME, {NAME: GOOD}, {})
    held = kept(NAME, {NAME: secret}, {NAME: good})
    assert held.certificate is good.certificate
    assert words in held.problem
    assert "stays in use" in held.problem
    again = kept(NAME, {NAME: secret}, {NAME: held})
    assert again is held


def test_one_that_is_not_there() -> None:
    good = kept(NAME, {NAME: GOOD}, {})
    assert kept(NAME, {}, {NAME: good}) == Kept(None, None, "there is no Secret shop-tls")


def test_an_expired_one_is_shown() -> None:
    secret = authority().sign("shop.example", first_day=-2, last_day=-1).secret()
    assert certificate(NAME, secret).names == ("shop.example",)
