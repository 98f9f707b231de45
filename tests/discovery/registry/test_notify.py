from __future__ import annotations

import dns.flags
import dns.message
import dns.opcode
import pytest

from discovery.registry import messages, wire
from discovery.registry.notify import Notify, NotifyError, read_notify
from discovery.registry.wire import IN, SOA, Record, from_text, parse_message, to_wire
from tests.discovery.registry.making import query

ZONE = to_wire(from_text("endpoints.cluster.local"))


def theirs(kind: str = "SOA", opcode: int = dns.opcode.NOTIFY, klass: str = "IN") -> dns.message.Message:
    made = query("Endpoints.Cluster.local.", kind, rdclass=klass)
    made.set_opcode(dns.opcode.Opcode(opcode))
    return made


def test_a_zone_has_a_new_serial() -> None:
    soa = Record(ZONE, SOA, IN, 1, ZONE + ZONE + (7).to_bytes(4, "big") + bytes(16))
    assert read_notify(parse_message(messages.notify(1, soa))) == Notify(ZONE, 7)


def test_the_serial_need_not_be_said() -> None:
    assert read_notify(parse_message(theirs().to_wire())) == Notify(ZONE, None)


def test_a_soa_record_of_another_zone_is_no_hint() -> None:
    other = Record(b"\1a" + ZONE, SOA, IN, 1, ZONE + ZONE + bytes(20))
    message = messages.compose(1, wire.NOTIFY_OPCODE << 11, (ZONE, SOA, IN), answers=(other,))
    assert read_notify(parse_message(message)).serial is None


WRONG = {
    "a query": (theirs(opcode=dns.opcode.QUERY), wire.NOTIMP),
    "another type": (theirs("A"), wire.FORMERR),
    "another class": (theirs(klass="CH"), wire.FORMERR),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_notify(case: str) -> None:
    message, rcode = WRONG[case]
    with pytest.raises(NotifyError) as raised:
        read_notify(parse_message(message.to_wire()))
    assert raised.value.rcode == rcode


def test_an_answer_is_not_answered() -> None:
    message = theirs()
    message.flags |= dns.flags.QR
    with pytest.raises(NotifyError):
        read_notify(parse_message(message.to_wire()))
