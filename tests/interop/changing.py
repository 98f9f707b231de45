"""Random changes of a zone: types that compress and types that do not, TTLs, and names in mixed case."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import dns.name
import dns.rdata

from discovery.registry.messages import removed, removed_set
from discovery.registry.wire import IN, Record
from tests.interop.nameservers import DOMAIN

NAMES = 24
"""So few that changes meet."""


def mixed(chance: Random, text: str) -> str:
    return "".join(chance.choice((letter.lower(), letter.upper())) for letter in text)


def named(chance: Random) -> str:
    """A name in the zone; the alias is never one of them."""
    number = chance.randrange(NAMES)
    return mixed(chance, f"h{number}.s{number % 3}.default.{DOMAIN}.")


DATA: dict[str, Callable[[Random], str]] = {
    "A": lambda chance: f"10.0.0.{chance.randrange(6)}",
    "AAAA": lambda chance: f"2001:db8::{chance.randrange(6):x}",
    "TXT": lambda chance: f'"ready={chance.choice(["true", "false"])}" "Node=N{chance.randrange(3)}"',
    "SRV": lambda chance: f"0 {chance.randrange(4)} 80 {named(chance)}",
    "MX": lambda chance: f"{chance.randrange(3)} {named(chance)}",
    "PTR": named,
    "NS": lambda chance: f"ns{chance.randrange(2)}.Elsewhere.test.",
    "NAPTR": lambda chance: f'1 {chance.randrange(3)} "u" "E2U+sip" "!^.*$!sip:A@b!" .',
    "HTTPS": lambda chance: f"1 . alpn=h2 port={chance.randrange(1, 4)}",
    "CAA": lambda chance: f'0 issue "Ca{chance.randrange(3)}.test"',
    "TYPE65280": lambda chance: f"\\# 3 00ff0{chance.randrange(4)}",
}


def wire(text: str) -> bytes:
    return dns.name.from_text(text).to_wire() or b""


def record(chance: Random) -> Record:
    """A record at random, in mixed case."""
    kind = chance.choice(list(DATA))
    data = dns.rdata.from_text("IN", kind, DATA[kind](chance))
    return Record(wire(named(chance)), int(data.rdtype), IN, chance.choice((1, 5, 60)), data.to_wire() or b"")


def alias(chance: Random) -> Record:
    """A CNAME record at a name that has nothing else."""
    return Record(wire(mixed(chance, f"alias{chance.randrange(3)}.{DOMAIN}.")), 5, IN, 5, wire(named(chance)))


def change(chance: Random) -> list[Record]:
    """What one UPDATE asks for."""
    made = []
    for _ in range(chance.choice((1, 1, 2, 5))):
        each = alias(chance) if chance.random() < 0.1 else record(chance)
        how = chance.random()
        if how < 0.6:
            made.append(each)
        elif how < 0.8:
            made.append(removed(each))
        elif how < 0.95:
            made.append(removed_set(each.name, each.type))
        else:
            made.append(removed_set(each.name))
    return made
