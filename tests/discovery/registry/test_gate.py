from __future__ import annotations

from ipaddress import ip_network

import dns.flags
import dns.message
import dns.rcode
import pytest

from discovery.registry.gate import MOST_CLIENTS, Gate, Verdict, gate_at, instead

PRIVATE = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
RATE = 2
A, T, D, R = Verdict.ANSWER, Verdict.TRUNCATE, Verdict.DROP, Verdict.REFUSE
CASES: dict[str, tuple[list[tuple[str, float]], list[Verdict]]] = {
    "above the limit every other one is truncated": ([("10.0.0.1", 1.0)] * 6, [A, A, D, T, D, T]),
    "the next second": ([("10.0.0.1", 1.9)] * 3 + [("10.0.0.1", 2.0)], [A, A, D, A]),
    "neighbours share": ([("10.0.0.1", 1), ("10.0.0.2", 1), ("10.0.0.3", 1), ("10.0.1.1", 1)], [A, A, D, A]),
    "and by IPv6": ([("fd00::1", 1), ("fd00:0:0:ff::1", 1), ("fd00::2", 1), ("fd00:0:0:100::1", 1)], [A, A, D, A]),
    "this machine": ([("127.0.0.1", 1.0), ("::1", 1.0), ("::ffff:127.0.0.1", 1.0)] * 3, [A] * 9),
    "who may not ask": ([("192.0.2.1", 1.0)] * 4, [R, R, D, D]),
    "an address of an interface": ([("fd00::1%eth0", 1.0)], [A]),
    "an IPv4 address by an IPv6 socket": ([("::ffff:10.0.0.1", 1), ("10.0.0.2", 1), ("10.0.0.3", 1)], [A, A, D]),
}


@pytest.mark.parametrize("case", CASES)
def test_verdicts(case: str) -> None:
    asked, expected = CASES[case]
    gate = Gate(PRIVATE, RATE)
    assert [gate.verdict(address, now) for address, now in asked] == expected


def test_without_a_rate_there_is_no_limit() -> None:
    gate = Gate(PRIVATE, 0)
    assert {gate.verdict("10.0.0.1", 1.0) for _ in range(1000)} == {A}
    assert gate.verdict("192.0.2.1", 1.0) is R


def test_connections() -> None:
    gate = Gate(PRIVATE, RATE)
    assert [gate.admits(address) for address in ("10.0.0.1", "::1", "192.0.2.1", "192.0.2.1")] == [
        True, True, False, False,
    ]  # fmt: skip


def test_what_is_remembered_is_bounded() -> None:
    gate = Gate((ip_network("0.0.0.0/0"),), RATE)
    for number in range(2 * MOST_CLIENTS):
        gate.verdict(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 1.0)
    assert len(gate._clients) <= MOST_CLIENTS
    assert len(gate._prefixes) <= MOST_CLIENTS


def test_what_is_sent_instead() -> None:
    query = dns.message.make_query("shop.default.svc.cluster.local", "A", use_edns=0)
    message = query.to_wire()
    truncated = instead(message, T)
    assert truncated is not None
    read = dns.message.from_wire(truncated)
    assert query.is_response(read)
    assert read.flags & dns.flags.TC
    refused = instead(message, R)
    assert refused is not None
    assert dns.message.from_wire(refused).rcode() == dns.rcode.REFUSED
    assert len(truncated) <= len(message)
    assert instead(message, D) is None


@pytest.mark.parametrize("message", [b"", bytes(11), bytes(12), b"\0\0\0\0\0\1" + bytes(6) + b"\x3fx", b"\0\0\x81"])
def test_what_is_no_query_is_not_truncated(message: bytes) -> None:
    assert instead(message, T) is None


@pytest.mark.parametrize(("address", "is_open"), [("127.0.0.1", True), ("::1", True), ("0.0.0.0", False)])
def test_where_only_this_machine_asks_there_is_no_gate(address: str, is_open: bool) -> None:
    assert (gate_at(address, PRIVATE, RATE) is None) == is_open
