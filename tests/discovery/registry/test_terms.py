from __future__ import annotations

import dns.edns
import dns.message
import dns.update
import pytest

from discovery.registry.terms import Terms, granted, read_terms, refresh_after
from discovery.registry.wire import Malformed, parse_message


def update(*options: bytes) -> dns.update.UpdateMessage:
    made = dns.update.UpdateMessage("endpoints.cluster.local.")
    made.use_edns(0, options=[dns.edns.GenericOption(2, option) for option in options])
    return made


OPTIONS = {
    "four bytes": ((b"\0\0\0\x1e",), Terms(30)),
    "eight bytes": ((b"\0\0\0\x1e\0\1\0\0",), Terms(30, 65536)),
    "no option": ((), None),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_what_is_asked_for(case: str) -> None:
    options, expected = OPTIONS[case]
    assert read_terms(parse_message(update(*options).to_wire())) == expected
    if expected is not None:
        assert expected.option() == b"\0\2" + len(options[0]).to_bytes(2, "big") + options[0]


def test_without_edns_nothing_is_asked_for() -> None:
    assert read_terms(parse_message(dns.update.UpdateMessage("a.").to_wire())) is None


@pytest.mark.parametrize("data", [b"", b"\0\0\x1e", b"\0\0\0\0\x1e", bytes(12)])
def test_options_of_another_length(data: bytes) -> None:
    with pytest.raises(Malformed):
        read_terms(parse_message(update(data).to_wire()))


GRANTED = {
    "what was asked for": (Terms(60), Terms(60)),
    "no less": (Terms(0), Terms(30)),
    "no more than a day": (Terms(0xFFFFFFFF), Terms(86400)),
    "keys live longer": (Terms(60, 0xFFFFFFFF), Terms(60, 604800)),
    "keys no shorter either": (Terms(60, 1), Terms(60, 30)),
}


@pytest.mark.parametrize("case", GRANTED)
def test_what_is_granted(case: str) -> None:
    asked, expected = GRANTED[case]
    assert granted(asked) == expected


def test_tests_are_granted_less() -> None:
    assert granted(Terms(1), least=1) == Terms(1)


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 24.0), (0.5, 24.75), (1.0, 25.5)])
def test_when_to_refresh(chance: float, seconds: float) -> None:
    assert refresh_after(30, chance) == pytest.approx(seconds)
