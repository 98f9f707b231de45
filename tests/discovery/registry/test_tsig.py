"""Signatures, with dnspython on the other side."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import dns.message
import dns.name
import dns.rcode
import dns.rrset
import dns.tsig
import dns.update
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.registry import tsig
from discovery.registry.keys import Key
from discovery.registry.outline import outline
from discovery.registry.tsig import Signer, TsigError, Verified, Verifier, open_usual, refusal, sign, verify
from discovery.registry.wire import Malformed, parse_message
from tests.discovery.registry.making import query

SECRET = b"sixteen bytes or more"
KEY = Key((b"node-1",), "hmac-sha256", SECRET)
KEYS = {KEY.name: KEY}
NOW = 1_800_000_000
ALGORITHMS = ["hmac-sha256", "hmac-sha512"]


def theirs(key: Key) -> dns.tsig.Key:
    return dns.tsig.Key(dns.name.Name([*key.name, b""]), key.secret, key.algorithm)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """dnspython looks at the clock itself."""
    monkeypatch.setattr("time.time", lambda: float(NOW))


def verified(message: bytes, request_mac: bytes = b"", now: float = NOW) -> Verified:
    found = verify(message, KEYS, now, request_mac)
    assert found is not None
    return found


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_dnspython_signs_holds_and_it_takes_our_answer(algorithm: str) -> None:
    key = Key((b"node-1", b"nodes"), algorithm, SECRET)
    made = dns.update.UpdateMessage("endpoints.cluster.local.")
    made.add("h1.shop.default", 5, "A", "10.0.0.1")
    plain, response = made.to_wire(), dns.message.make_response(made).to_wire()
    made.use_tsig(theirs(key))
    found = verify(made.to_wire(), {key.name: key}, NOW)
    assert found == (key, made.mac, NOW, plain, outline(plain))
    answer, _ = sign(response, key, NOW, found.mac)
    read = dns.message.from_wire(answer, keyring=theirs(key), request_mac=made.mac)
    assert read.had_tsig
    with pytest.raises(dns.tsig.BadSignature):
        dns.message.from_wire(answer, keyring=theirs(key), request_mac=b"another")


@pytest.mark.usefixtures("clock")
def test_dnspython_takes_what_is_signed_here() -> None:
    signed, mac = sign(query("shop.", use_edns=0).to_wire(), KEY, NOW + 0.9)
    read = dns.message.from_wire(signed, keyring=theirs(KEY))
    assert (read.had_tsig, read.tsig[0].mac, read.tsig[0].time_signed, read.edns) == (True, mac, NOW, 0)


def test_what_is_not_signed() -> None:
    assert verify(query("shop.").to_wire(), KEYS, NOW) is None


def test_a_name_in_another_case_or_compressed_is_the_same_key() -> None:
    made = query("node-1.")
    made.use_tsig(dns.tsig.Key("NODE-1.", SECRET, "HMAC-SHA256."))
    assert b"\xc0\x0c\x00\xfa" in made.to_wire()
    assert verified(made.to_wire(), now=made.tsig[0].time_signed).key == KEY


def test_a_forwarder_may_change_the_id() -> None:
    signed, _ = sign(query("shop.").to_wire(), KEY, NOW)
    assert verified(b"\xff\xfe" + signed[2:]).message[:2] == b"\xff\xfe"


def signed_with(
    key: Key = KEY, now: float = NOW, change: Callable[[tsig.Record], tsig.Record] = lambda record: record
) -> bytes:
    message, _ = sign(query("shop.").to_wire(), key, now)
    parts = outline(message)
    return message[: parts.signature] + change(tsig.read(message, parts)).rendered()


ERRORS = {
    "another name": (signed_with(Key((b"node-2",), "hmac-sha256", SECRET)), tsig.BADKEY),
    "another algorithm": (signed_with(Key(KEY.name, "hmac-sha512", SECRET)), tsig.BADKEY),
    "another secret": (signed_with(Key(KEY.name, "hmac-sha256", b"another")), tsig.BADSIG),
    "another time": (signed_with(change=lambda record: record._replace(signed=NOW + 1)), tsig.BADSIG),
    "half of another MAC": (signed_with(change=lambda record: record._replace(mac=bytes(16))), tsig.BADSIG),
    "too early": (signed_with(now=NOW - 301), tsig.BADTIME),
    "too late": (signed_with(now=NOW + 301), tsig.BADTIME),
    "half of the MAC": (signed_with(change=lambda record: record._replace(mac=record.mac[:16])), tsig.BADTRUNC),
}  # fmt: skip


@pytest.mark.parametrize("case", ERRORS)
def test_a_signature_that_does_not_hold(case: str) -> None:
    message, error = ERRORS[case]
    with pytest.raises(TsigError) as raised:
        verify(message, KEYS, NOW)
    assert (raised.value.error, raised.value.by_peer) == (error, False)
    assert str(raised.value) == tsig.ERROR_NAMES[error]
    answer = dns.message.from_wire(refusal(message, raised.value, NOW), keyring=False, continue_on_error=True)
    record = answer.tsig[0]
    assert (answer.rcode(), record.error, answer.id) == (dns.rcode.NOTAUTH, error, int.from_bytes(message[:2], "big"))
    assert answer.question[0].name == dns.name.from_text("shop.")
    assert bool(record.mac) == (error in {tsig.BADTIME, tsig.BADTRUNC})
    assert record.other == (NOW.to_bytes(6, "big") if error == tsig.BADTIME else b"")
    assert record.time_signed == int.from_bytes(message[-len(record_tail(message)) :][:6], "big")


def record_tail(message: bytes) -> bytes:
    """The record of `message` from its time on."""
    parts = outline(message)
    record = tsig.read(message, parts)
    return message[message.index(record.times(), parts.signature) :]


SOON = {"just in time": NOW - 300, "just not early": NOW + 300}


@pytest.mark.parametrize("case", SOON)
def test_clocks_may_differ(case: str) -> None:
    assert verified(signed_with(now=SOON[case])).signed == SOON[case]


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(("fudge", "seconds"), [(100, 100), (1000, 300)])
def test_a_sender_may_allow_less_time_but_not_more(fudge: int, seconds: int) -> None:
    made = query("shop.")
    made.use_tsig(theirs(KEY), fudge=fudge)
    message = made.to_wire()
    assert verified(message, now=NOW + seconds)
    with pytest.raises(TsigError, match="BADTIME"):
        verify(message, KEYS, NOW + seconds + 1)


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("case", ["too early", "half of the MAC"])
def test_a_signed_refusal_is_of_the_server(case: str) -> None:
    message, error = ERRORS[case]
    request_mac = tsig.read(message, outline(message)).mac
    with pytest.raises(TsigError) as raised:
        verify(message, KEYS, NOW)
    answer = refusal(message, raised.value, NOW)
    when = tsig.read(message, outline(message)).signed
    with pytest.raises(TsigError) as heard:
        verify(answer, KEYS, when, request_mac)
    assert (heard.value.error, heard.value.by_peer) == (error, True)
    with pytest.raises(TsigError) as forged:
        verify(answer[:13] + bytes([answer[13] ^ 1]) + answer[14:], KEYS, when, request_mac)
    assert (forged.value.error, forged.value.by_peer) == (tsig.BADSIG, False)


def test_an_unsigned_refusal_is_heard_too() -> None:
    message, error = ERRORS["another secret"]
    with pytest.raises(TsigError) as raised:
        verify(message, KEYS, NOW)
    with pytest.raises(TsigError, match="the other side says BADSIG") as heard:
        verify(refusal(message, raised.value, NOW), KEYS, NOW, b"mac")
    assert (heard.value.error, heard.value.by_peer) == (error, True)


WHOLE = signed_with()
SIGNATURE = WHOLE[outline(WHOLE).signature :]
MALFORMED = {
    "a MAC that is too short": signed_with(change=lambda record: record._replace(mac=record.mac[:15])),
    "no MAC": signed_with(change=lambda record: record._replace(mac=b"")),
    "a MAC that is too long": signed_with(change=lambda record: record._replace(mac=record.mac + b"!")),
    "another class": WHOLE.replace(b"\0\xfa\0\xff", b"\0\xfa\0\1"),
    "a TTL": WHOLE.replace(b"\0\xfa\0\xff\0\0\0\0", b"\0\xfa\0\xff\0\0\0\1"),
    "not the last": WHOLE[:10] + b"\0\2" + WHOLE[12:] + b"\0\0\1\0\1\0\0\0\0\0\0",
    "two": WHOLE[:10] + b"\0\2" + WHOLE[12:] + SIGNATURE,
    "other data missing": WHOLE[:-1] + b"\1",
    "a record that ends early": WHOLE[: -len(SIGNATURE) + 8] + b"\0\0\xfa\0\xff\0\0\0\0\0\3\1a\0",
}


@pytest.mark.parametrize("case", MALFORMED)
def test_what_is_no_signature(case: str) -> None:
    with pytest.raises(Malformed):
        verify(MALFORMED[case], KEYS, NOW)


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_no_byte_can_be_changed(at: int, change: int) -> None:
    """But for the id, which forwarders change, and the case of names; a signature may become another record."""
    message = WHOLE[:at] + bytes([WHOLE[at] ^ change]) + WHOLE[at + 1 :]
    try:
        found = verify(message, KEYS, NOW)
    except (TsigError, Malformed):
        return
    assert found is None or at < 2 or message.lower()[outline(WHOLE).signature :] == SIGNATURE.lower()


@given(st.binary(max_size=80), st.integers(0, len(WHOLE)), st.booleans())
def test_no_bytes_do_any_harm(noise: bytes, at: int, cut: bool) -> None:
    message = WHOLE[:at] + noise + (b"" if cut else WHOLE[at + len(noise) :])
    answer = b""
    try:
        found = verify(message, KEYS, NOW)
    except TsigError as error:
        answer = refusal(message, error, NOW)
    except Malformed:
        return
    else:
        assert found is None or found.message[2:] == verified(WHOLE).message[2:]
    assert not answer or parse_message(answer).rcode == dns.rcode.NOTAUTH


def test_secrets_are_in_no_text() -> None:
    message, _ = ERRORS["too early"]
    with pytest.raises(TsigError) as raised:
        verify(message, KEYS, NOW)
    for text in (repr(KEY), repr(raised.value), str(raised.value), repr(vars(raised.value)), repr(verified(WHOLE))):
        assert repr(SECRET)[2:-1] not in text


def parts_of_an_answer(count: int) -> Iterator[dns.message.Message]:
    for number in range(count):
        made = dns.message.make_response(query("a.example.", "AXFR", id=7))
        made.answer.append(dns.rrset.from_text("a.example.", 5, "IN", "TXT", str(number)))
        yield made


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_dnspython_takes_a_signed_transfer(algorithm: str) -> None:
    key = Key(KEY.name, algorithm, SECRET)
    signer, context = Signer(key, b"mac of the request"), None
    for made in parts_of_an_answer(4):
        read = dns.message.from_wire(
            signer.sign(made.to_wire(), NOW), keyring=theirs(key), request_mac=b"mac of the request", multi=True,
            tsig_ctx=context,
        )  # fmt: skip
        assert read.had_tsig
        context = read.tsig_ctx


def transfer(count: int, unsigned: set[int], key: Key = KEY) -> list[bytes]:
    """The messages of an answer as dnspython signs them, but for those whose number is in `unsigned`."""
    context, messages = None, []
    for number, made in enumerate(parts_of_an_answer(count)):
        if number in unsigned:
            assert context is not None
            context.update(made.to_wire())
            messages.append(made.to_wire())
            continue
        made.use_tsig(theirs(key))
        made.request_mac = b"mac of the request"
        messages.append(made.to_wire(multi=True, tsig_ctx=context))
        context = made.tsig_ctx
    return messages


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("unsigned", [set(), {1}, {1, 2, 4}, set(range(1, 100))], ids=len)
def test_a_transfer_that_dnspython_signed(unsigned: set[int]) -> None:
    count = max({5, *(number + 2 for number in unsigned)})
    verifier = Verifier(KEY, b"mac of the request")
    for number, (message, made) in enumerate(
        zip(transfer(count, unsigned), parts_of_an_answer(count), strict=True)
    ):  # fmt: skip
        assert verifier.verify(message, NOW) == made.to_wire()
        assert verifier.is_settled == (number not in unsigned)


def feed(messages: list[bytes], now: float = NOW) -> Verifier:
    verifier = Verifier(KEY, b"mac of the request")
    for message in messages:
        verifier.verify(message, now)
    return verifier


@pytest.mark.usefixtures("clock")
def test_transfers_that_do_not_hold() -> None:
    messages = transfer(4, {1})
    assert not Verifier(KEY, b"").is_settled
    assert not feed(messages[:2]).is_settled
    for wrong in (
        messages[1:],
        [messages[0], messages[2]],
        [messages[0], messages[1], messages[3]],
        [messages[0], messages[1][:-1] + b"!", messages[2]],
        [messages[0]] + [messages[1]] * 100,
        transfer(1, set(), Key(KEY.name, "hmac-sha256", b"another")),
        transfer(1, set(), Key((b"another",), "hmac-sha256", SECRET)),
    ):
        with pytest.raises(TsigError):
            feed(wrong)
    with pytest.raises(TsigError, match="BADTIME"):
        feed(messages, NOW + 301)


def test_both_sides_of_a_long_transfer() -> None:
    signer, verifier = Signer(KEY, b"mac of the request"), Verifier(KEY, b"mac of the request")
    for made in parts_of_an_answer(5):
        assert verifier.verify(signer.sign(made.to_wire(), NOW), NOW) == made.to_wire()
        assert verifier.is_settled


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_is_signed_here_is_opened_without_being_read_and_nothing_else_is(algorithm: str) -> None:
    key, plain = Key(KEY.name, algorithm, SECRET), query("shop.", use_edns=0).to_wire()
    message, mac = sign(plain, key, NOW, b"before")
    assert open_usual(message, key, NOW, b"before") == (plain, mac, NOW)
    assert open_usual(b"\xff\xfe" + message[2:], key, NOW, b"before") == (b"\xff\xfe" + plain[2:], mac, NOW)
    for at in range(2, len(message)):
        changed = message[:at] + bytes((message[at] ^ 1,)) + message[at + 1 :]
        assert open_usual(changed, key, NOW, b"before") is None, at
    for cut in range(len(message)):
        assert open_usual(message[:cut], key, NOW, b"before") is None
    assert open_usual(message, key, NOW, b"other") is None
    assert open_usual(message, key, NOW + 301, b"before") is None
    assert open_usual(message, Key(key.name, algorithm, b"another"), NOW, b"before") is None
