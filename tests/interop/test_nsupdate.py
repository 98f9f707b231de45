"""BIND's nsupdate and Knot's knsupdate write to a zone: the parts that decide, without the server around them."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from socket import AF_INET, SOCK_DGRAM, socket

import pytest

from discovery.registry import messages
from discovery.registry.content import Content, Draft, content_of
from discovery.registry.keys import KeyRing, Scope, parse_key
from discovery.registry.tsig import TsigError, refusal, sign, verify
from discovery.registry.update import UpdateError, decide, read_update
from discovery.registry.wire import IN, UPDATE_OPCODE, A, Record, from_text, parse_message, to_wire
from tests.interop.programs import needs

ZONE = to_wire(from_text("endpoints.cluster.local"))
KEYS = ["hmac-sha256:node-1:c2VjcmV0IHNlY3JldCBzZWNyZXQ=", "hmac-sha512:node-1:c2VjcmV0IHNlY3JldCBzZWNyZXQ="]
pytestmark = [needs("nsupdate"), needs("knsupdate")]


def name(text: str) -> bytes:
    return to_wire(from_text(f"{text}.endpoints.cluster.local"))


class Zone:
    """What answers on a socket, a datagram at a time."""

    def __init__(self, bound: socket) -> None:
        self.socket = bound
        self.port = bound.getsockname()[1]
        self.ring = KeyRing()
        self.content: Content = content_of(ZONE, 1, [Record(name("h2"), A, IN, 5, b"\x0a\0\0\1")])

    def answer(self, message: bytes) -> bytes:
        try:
            found = verify(message, self.ring.keys, time.time())
        except TsigError as error:
            return refusal(message, error, time.time())
        read = parse_message(message if found is None else found.message)
        scope = self.ring.scope(found.key if found else None, loopback=True)
        draft = Draft(self.content)
        try:
            rcode = decide(draft, read_update(read, ZONE), scope)
        except UpdateError as error:
            rcode = error.rcode
        if rcode == 0:
            self.content.adopt(draft.nodes, 2)
        reply = messages.reply(read, rcode)
        return reply if found is None else sign(reply, found.key, time.time(), found.mac)[0]

    def run(self, program: str, script: str, *options: str) -> str:
        """What the program says of `script`, once it has got its answer."""
        head = f"server 127.0.0.1 {self.port}\nzone endpoints.cluster.local.\n"
        with subprocess.Popen(
            [program, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(head + script + "send\n")
            process.stdin.close()
            message, peer = self.socket.recvfrom(65535)
            assert message[2] >> 3 == UPDATE_OPCODE
            self.socket.sendto(self.answer(message), peer)
            return process.stdout.read()

    def has(self, owner: str) -> set[bytes]:
        return {data for rrset in self.content.nodes.get(name(owner), ()) for data in rrset.datas}


@pytest.fixture
def zone() -> Iterator[Zone]:
    with socket(AF_INET, SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        bound.settimeout(10)
        yield Zone(bound)


PROGRAMS = pytest.mark.parametrize("program", ["nsupdate", "knsupdate"])
CHANGES = """\
prereq nxdomain h1.endpoints.cluster.local.
prereq yxrrset h2.endpoints.cluster.local. A 10.0.0.1
update add h1.endpoints.cluster.local. 5 A 10.0.0.2
update add H1.endpoints.cluster.local. 5 TXT "ready=true"
update add h1.endpoints.cluster.local. 5 SRV 0 1 80 H1.Endpoints.cluster.local.
update delete h2.endpoints.cluster.local. A 10.0.0.1
"""
CHANGED = {b"\x0a\0\0\2", b"\x0aready=true", b"\0\0\0\1\0\x50" + name("h1")}


@PROGRAMS
@pytest.mark.parametrize("key", ["", *KEYS], ids=["unsigned", "hmac-sha256", "hmac-sha512"])
def test_an_update_is_carried_out_once(zone: Zone, program: str, key: str) -> None:
    if key:
        zone.ring = KeyRing([(parse_key(key), Scope((ZONE,)))])
    options = ["-y", key] if key else []
    assert zone.run(program, CHANGES, *options).strip() in {"", "> "}
    assert (zone.has("h1"), zone.has("h2")) == (CHANGED, set())
    assert "YXDOMAIN" in zone.run(program, CHANGES, *options)


@PROGRAMS
def test_sets_and_names_are_removed(zone: Zone, program: str) -> None:
    zone.run(program, CHANGES)
    zone.run(program, "update delete h1.endpoints.cluster.local. SRV\n")
    assert len(zone.has("h1")) == 2
    zone.run(program, "update delete h1.endpoints.cluster.local.\n")
    assert zone.has("h1") == set()


REFUSALS = {
    "unsigned where there are keys": (KEYS[0], "", "REFUSED"),
    "a name out of scope": (KEYS[0], KEYS[0], "REFUSED"),
    "another secret": (KEYS[0], KEYS[0].replace("c2Vj", "c2Vi"), "BADSIG"),
    "another algorithm": (KEYS[0], KEYS[1], "BADKEY"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_who_may_not_write_hears_why(zone: Zone, case: str) -> None:
    known, used, word = REFUSALS[case]
    zone.ring = KeyRing([(parse_key(known), Scope((name("elsewhere"),)))])
    assert word in zone.run("nsupdate", CHANGES, *(["-y", used] if used else []))
    assert zone.has("h1") == set()
