"""Messages about a zone, as dnspython reads them."""

from __future__ import annotations

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdata
import dns.update
import pytest

from discovery.registry import messages, wire
from discovery.registry.terms import Terms, read_terms
from discovery.registry.wire import AAAA, IN, SOA, SRV, A, Record, from_text, parse_message, to_wire
from tests.discovery.registry.making import agree

ZONE = to_wire(from_text("endpoints.cluster.local"))
HOST = to_wire(from_text("h1.shop.default.endpoints.cluster.local"))
PORT = to_wire(from_text("_http._tcp.shop.default.endpoints.cluster.local"))
TIMES = b"".join(number.to_bytes(4, "big") for number in (7, 1, 1, 604800, 1))
ADDRESS = Record(HOST, A, IN, 5, b"\x0a\0\0\1")
SERVICE = Record(PORT, SRV, IN, 5, b"\0\1\0\2\x1f\x90" + HOST)
SERIAL = Record(ZONE, SOA, IN, 5, ZONE + ZONE + TIMES)


def read_update(message: bytes) -> dns.update.UpdateMessage:
    read = dns.message.from_wire(message)
    assert isinstance(read, dns.update.UpdateMessage)
    return read


def made() -> dns.update.UpdateMessage:
    return dns.update.UpdateMessage("endpoints.cluster.local.", id=258)


def test_adding_and_removing() -> None:
    changes = [
        SERVICE, ADDRESS, messages.removed(ADDRESS), messages.removed_set(HOST, AAAA), messages.removed_set(PORT),
    ]  # fmt: skip
    theirs = made()
    theirs.add("_http._tcp.shop.default", 5, "SRV", "1 2 8080 h1.shop.default.endpoints.cluster.local.")
    theirs.add("h1.shop.default", 5, "A", "10.0.0.1")
    theirs.delete("h1.shop.default", "A", "10.0.0.1")
    theirs.delete("h1.shop.default", "AAAA")
    theirs.delete("_http._tcp.shop.default")
    ours = messages.update(258, ZONE, changes)
    assert read_update(ours) == dns.message.from_wire(theirs.to_wire())
    assert parse_message(ours).authority == parse_message(theirs.to_wire()).authority == tuple(changes)


def test_prerequisites() -> None:
    conditions = [
        messages.exists(HOST), messages.exists(HOST, A), messages.absent(PORT), messages.absent(PORT, SRV),
        *messages.equals([ADDRESS]),
    ]  # fmt: skip
    theirs = made()
    theirs.present("h1.shop.default")
    theirs.present("h1.shop.default", "A")
    theirs.absent("_http._tcp.shop.default")
    theirs.absent("_http._tcp.shop.default", "SRV")
    theirs.present("h1.shop.default", "A", "10.0.0.1")
    ours = messages.update(258, ZONE, [], conditions)
    assert parse_message(ours).answers == parse_message(theirs.to_wire()).answers == tuple(conditions)
    assert read_update(ours).prerequisite == read_update(theirs.to_wire()).prerequisite


@pytest.mark.parametrize("terms", [Terms(30), Terms(30, 7200)])
def test_the_option_of_leases(terms: Terms) -> None:
    read = read_update(messages.update(1, ZONE, [ADDRESS], terms=terms))
    assert [(int(option.otype), option.to_wire()) for option in read.options] == [(2, terms.option()[4:])]
    assert read_terms(parse_message(messages.update(1, ZONE, [ADDRESS], terms=terms))) == terms


def test_questions_of_a_secondary() -> None:
    soa, axfr = agree(messages.soa_query(1, ZONE)), agree(messages.axfr_query(2, ZONE))
    ixfr = agree(messages.ixfr_query(3, SERIAL))
    assert [message.question[0].to_text() for message in (soa, axfr, ixfr)] == [
        f"endpoints.cluster.local. IN {kind}" for kind in ("SOA", "AXFR", "IXFR")
    ]
    assert (soa.edns, ixfr.authority[0][0].to_text().split()[2]) == (0, "7")


def test_notify_and_its_answer() -> None:
    sent = messages.notify(9, SERIAL)
    read = agree(sent)
    assert (read.opcode(), read.flags & dns.flags.AA, read.answer[0][0].serial) == (dns.opcode.NOTIFY, dns.flags.AA, 7)
    answer = dns.message.from_wire(messages.reply(parse_message(sent)))
    assert dns.message.from_wire(messages.notify(9, SERIAL)).is_response(answer)
    assert (answer.rcode(), answer.id) == (0, 9)


@pytest.mark.parametrize("terms", [None, Terms(30)])
def test_the_answer_of_an_update(terms: Terms | None) -> None:
    theirs = made()
    theirs.add("a", 5, "A", "10.0.0.1")
    raw = messages.reply(parse_message(theirs.to_wire()), wire.YXDOMAIN, terms)
    answer = dns.message.from_wire(raw)
    assert theirs.is_response(answer)
    assert (answer.rcode(), read_terms(parse_message(raw))) == (dns.rcode.YXDOMAIN, terms)


def test_records_are_the_same_bytes_in_every_message() -> None:
    assert messages.rendered(ADDRESS, ZONE) in messages.update(1, ZONE, [SERVICE, ADDRESS], [messages.exists(HOST)])
    assert messages.rendered(ADDRESS, to_wire(from_text("elsewhere"))).startswith(HOST)
