"""Facts of certificates, as another implementation wrote them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.x509 import covers, facts
from tests.certificates import authority

PAIR = authority().sign("shop.example", "*.Wild.example", "127.0.0.1", "::1", first_day=-2, last_day=3)


def test_names_and_days() -> None:
    told = facts(PAIR.certificate)
    assert told.names == ("shop.example", "*.wild.example", "127.0.0.1", "::1")
    assert round((told.not_after - told.not_before) / 86_400) == 5


def test_only_the_first_counts() -> None:
    assert facts(b"# a comment\n" + PAIR.certificate + authority().certificate) == facts(PAIR.certificate)


@pytest.mark.parametrize("day", [-3650, 365 * 30])
def test_years_of_both_kinds(day: int) -> None:
    """From 2050 on they have four digits."""
    made = facts(authority().sign("a.example", first_day=day, last_day=day + 1).certificate)
    assert round(made.not_after - made.not_before) == 86_400


@pytest.mark.parametrize(("common_name", "names"), [("Old.example", ("old.example",)), ("", ())])
def test_without_alternative_names(common_name: str, names: tuple[str, ...]) -> None:
    assert facts(authority().sign(common_name=common_name).certificate).names == names


@pytest.mark.parametrize(
    ("pem", "words"),
    [
        (b"", "holds no certificate"),
        (PAIR.key, "holds no certificate"),
        (b"-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n", "cannot be read"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be read"),
        (b"\n".join(PAIR.certificate.splitlines()[:3] + PAIR.certificate.splitlines()[-1:]), "cannot be read"),
    ],
)
def test_what_is_none(pem: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        facts(pem)
    assert PAIR.key.decode() not in str(caught.value)


@given(st.binary(max_size=300))
def test_nothing_else_is_raised(der: bytes) -> None:
    from base64 import encodebytes

    with pytest.raises(ValueError, match="cannot be read"):
        facts(b"-----BEGIN CERTIFICATE-----\n" + encodebytes(der) + b"-----END CERTIFICATE-----\n")


@pytest.mark.parametrize(
    ("host", "covered"),
    [
        ("shop.example", True),
        ("a.wild.example", True),
        ("*.wild.example", True),
        ("a.b.wild.example", False),
        ("wild.example", False),
        ("a.shop.example", False),
        ("other.example", False),
    ],
)
def test_covering(host: str, covered: bool) -> None:
    assert covers(facts(PAIR.certificate).names, host) is covered
