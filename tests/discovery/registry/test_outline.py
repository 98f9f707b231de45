from __future__ import annotations

import dns.edns
import dns.message
import dns.tsig
import dns.update
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.registry import messages
from discovery.registry.outline import fingerprint, options, outline, repeated
from discovery.registry.wire import IN, Malformed, Record, from_text, parse_message, to_wire
from tests.discovery.registry.making import query

ZONE = to_wire(from_text("endpoints.cluster.local"))
HOST = Record(to_wire(from_text("h1.endpoints.cluster.local")), 1, IN, 5, b"\x0a\0\0\1")
OTHER = HOST._replace(data=b"\x0a\0\0\2")
KEY = dns.tsig.Key("node-1.", "c2VjcmV0")


def signed(update: dns.update.UpdateMessage) -> bytes:
    update.use_tsig(KEY)
    return update.to_wire()


def test_where_the_sections_are() -> None:
    message = messages.update(1, ZONE, [HOST, OTHER], [messages.exists(HOST.name)])
    parts = outline(message)
    assert parts.answers == 12 + len(ZONE) + 4
    assert parts.authority == parts.answers + len(messages.rendered(messages.exists(HOST.name), ZONE))
    assert parts.additional == len(message)
    assert not parts.signature


ODD_QUESTIONS = {
    "a question": (b"\0\1", ZONE + b"\0\6\0\1", ZONE + b"\0\6\0\1"),
    "none": (b"\0\0", b"", b""),
    "two": (b"\0\2", (ZONE + b"\0\6\0\1") * 2, b""),
    "a pointer to itself": (b"\0\1", b"\xc0\x0c\0\6\0\1", b""),
    "a pointer into the header": (b"\0\1", b"\xc0\x04\0\6\0\1", b""),
    "a label before a pointer": (b"\0\1", b"\1a\xc0\x04\0\6\0\1", b""),
    "a name that is too long": (b"\0\1", (b"\x3f" + b"a" * 63) * 4 + b"\0\0\6\0\1", b""),
}


@pytest.mark.parametrize("case", ODD_QUESTIONS)
def test_what_an_answer_repeats(case: str) -> None:
    count, question, expected = ODD_QUESTIONS[case]
    message = b"\0\1\0\0" + count + bytes(6) + question
    assert repeated(message, outline(message)) == ((b"\0\1" if expected else b"\0\0"), expected)


def test_where_the_signature_is() -> None:
    update = dns.update.UpdateMessage("endpoints.cluster.local.", id=1)
    update.use_edns(0)
    plain = update.to_wire()
    assert outline(signed(update)).signature == len(plain)


SIGNATURE = b"\0\0\xfa\0\xff\0\0\0\0\0\0"
QUESTION = b"\0\0\1\0\1"
WRONG = {
    "nothing": b"",
    "no question": bytes(4) + b"\0\1" + bytes(6),
    "a record that ends early": bytes(4) + b"\0\1\0\1\0\0\0\0" + QUESTION + b"\0\0\1\0\1\0\0\0\0\0\4abc",
    "more after it": bytes(4) + b"\0\1\0\0\0\0\0\0" + QUESTION + b"!",
    "a signature among the answers": bytes(4) + b"\0\1\0\1\0\0\0\0" + QUESTION + SIGNATURE,
    "two signatures": bytes(4) + b"\0\1\0\0\0\0\0\2" + QUESTION + SIGNATURE * 2,
    "a reserved label type": bytes(4) + b"\0\1\0\0\0\0\0\0" + b"\x80" + QUESTION,
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_message(case: str) -> None:
    with pytest.raises(Malformed):
        outline(WRONG[case])


@given(st.binary(max_size=40), st.integers(0, 120), st.booleans())
def test_whatever_is_a_message_has_an_outline(noise: bytes, at: int, cut: bool) -> None:
    whole = messages.update(1, ZONE, [HOST, OTHER], [messages.exists(HOST.name)])
    message = whole[:at] if cut else whole[:at] + noise + whole[at + len(noise) :]
    try:
        read = parse_message(message)
    except Malformed:
        return
    try:
        parts = outline(message)
    except Malformed:
        assert any(record.type == 250 for record in (*read.answers, *read.authority, *read.additional))
        return
    assert 12 < parts.answers <= parts.authority <= parts.additional <= len(message)


def test_a_fingerprint_is_that_of_what_is_asked_for() -> None:
    def of(message: bytes, owner: bytes = b"node") -> bytes:
        return fingerprint(message, outline(message), owner)

    first = messages.update(1, ZONE, [HOST], terms=None)
    assert of(first) == of(messages.update(2, ZONE, [HOST]))
    others = [
        of(first, b"another"), of(messages.update(1, ZONE, [OTHER])), of(messages.update(1, ZONE, [HOST, HOST])),
        of(messages.update(1, ZONE, [], [HOST])),
    ]  # fmt: skip
    assert len({of(first), *others}) == 5


def test_options_of_edns() -> None:
    made = query("a.", use_edns=0, options=[dns.edns.GenericOption(2, b"abcd"), dns.edns.GenericOption(9, b"")])
    assert options(parse_message(made.to_wire())) == {2: b"abcd", 9: b""}
    assert options(parse_message(query("a.").to_wire())) == {}


BROKEN = {
    "half a head": (messages.opt(b"\0\2\0"),),
    "longer than it is": (messages.opt(b"\0\2\0\5abcd"),),
    "two of them": (messages.opt(), messages.opt()),
    "with a name": (messages.opt()._replace(name=b"\1a\0"),),
}


@pytest.mark.parametrize("case", BROKEN)
def test_options_that_are_none(case: str) -> None:
    message = messages.compose(1, 0, (ZONE, 6, IN), additional=BROKEN[case])
    with pytest.raises(Malformed):
        options(parse_message(message))
