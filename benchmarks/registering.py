"""Registrants for the registry's questions: who registers how many endpoints in which Services, and a client for it.

Every registrant has 100 endpoints, each in another Service, and says all of it in one message, which is its lease and,
sent again, the refresh of it.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

from config.meta import Named, ObjectMeta
from config.resources.core import Service, ServicePort, ServiceSpec
from discovery.endpoint import Endpoint
from discovery.registry import messages
from discovery.registry.keys import Key
from discovery.registry.registrations import origin, registered
from discovery.registry.terms import Terms
from discovery.registry.tsig import sign
from discovery.registry.wire import HEADER, NOERROR, SOA, TXT, Record, parse_message

ZONE = origin("cluster.local")
EACH = 100
"""Endpoints of a registrant."""
IN_SERVICE = 20
"""Endpoints of a Service."""
LEASE = Terms(30)
REFRESH_SECONDS = 24.0
"""Between two refreshes of a lease, at the earliest (RFC 9664 section 5.2)."""
PATIENCE = 60.0


def services(endpoints: int) -> str:
    """Their manifests."""
    text = (
        "apiVersion: v1\nkind: Service\nmetadata: {{name: svc{number}}}\nspec: {{ports: [{{name: http, port: 80}}]}}\n"
    )
    return "---\n".join(text.format(number=number) for number in range(endpoints // IN_SERVICE))


def records(number: int, endpoints: int, ready: bool = True) -> tuple[Record, ...]:
    """Those of one endpoint among so many."""
    name = f"svc{number % (endpoints // IN_SERVICE)}"
    service = Service(ObjectMeta(name, "default"), spec=ServiceSpec(ports=(ServicePort(port=80, name="http"),)))
    endpoint = Endpoint(
        f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 8080, ready=ready,
        replica_id=f"{name}-7f9c4-{number:05x}", node=f"node-{number // EACH}", zone="zone-a",
    )  # fmt: skip
    return tuple(registered(Named("default", name), service, {"http": (endpoint,)}, ZONE))


def registration(registrant: int, endpoints: int, terms: Terms | None = LEASE) -> bytes:
    """The message of one registrant; `terms`: None: what it says stays until it is removed."""
    numbers = range(registrant * EACH, (registrant + 1) * EACH)
    changes = [record for number in numbers for record in records(number, endpoints)]
    return messages.update(registrant, ZONE, changes, terms=terms)


def changes(endpoints: int, among: int, turn: int = 0) -> Iterator[bytes]:
    """Messages that each change whether one of the first `among` endpoints is ready, for ever.

    `turn`: how often this was begun before: equal messages would be taken for one that comes again.
    """
    number = 0
    while True:
        _, address, text = records(number % among, endpoints, ready=bool((number // among + turn) % 2))
        message_id = (number + 7919 * turn) & 0xFFFF
        yield messages.update(message_id, ZONE, [messages.removed_set(text.name, TXT), address, text])
        number += 1


class Client:
    """Speaks to a registry by TCP."""

    def __init__(self, port: int, key: Key | None = None) -> None:
        """`key`: that updates are signed with."""
        self._key = key
        self._connection = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self._stream = self._connection.makefile("rwb")

    def close(self) -> None:
        self._stream.close()
        self._connection.close()

    def ask(self, message: bytes) -> bytes:
        """One answer."""
        self._stream.write(len(message).to_bytes(2, "big") + message)
        self._stream.flush()
        return self._receive()

    def update(self, message: bytes) -> None:
        """Raises RuntimeError if it is not carried out."""
        answer = self.ask(message if self._key is None else sign(message, self._key, time.time())[0])
        if answer[3] & 0xF != NOERROR:
            raise RuntimeError(f"an update was answered by {answer[3] & 0xF}")

    def serial(self) -> int:
        """Of the written zone."""
        [soa] = (each for each in parse_message(self.ask(messages.soa_query(1, ZONE))).answers if each.type == SOA)
        return int.from_bytes(soa.data[-20:-16], "big")

    def transfer(self) -> int:
        """Take the whole zone: how many records it has."""
        question = messages.axfr_query(1, ZONE)
        self._stream.write(len(question).to_bytes(2, "big") + question)
        self._stream.flush()
        count, soa = 0, b""
        while True:
            message = self._receive()
            count += int.from_bytes(message[6:8], "big")
            if not soa:
                at = HEADER + len(ZONE) + 4
                soa = message[at : at + 12 + int.from_bytes(message[at + 10 : at + 12], "big")]
            if count > 1 and message.endswith(soa):
                return count

    def _receive(self) -> bytes:
        size = self._stream.read(2)
        if len(size) < 2:
            raise ConnectionError("the registry closed the connection")
        return self._stream.read(int.from_bytes(size, "big"))


@contextmanager
def client(port: int, key: Key | None = None) -> Iterator[Client]:
    made = Client(port, key)
    try:
        yield made
    finally:
        made.close()


def register(
    port: int, endpoints: int, registrants: range, key: Key | None = None, terms: Terms | None = LEASE
) -> None:
    """Have these registrants say what they have, once."""
    with client(port, key) as made:
        for registrant in registrants:
            made.update(registration(registrant, endpoints, terms))


def change(port: int, endpoints: int, among: int, count: int, per_second: float = 0.0, turn: int = 0) -> None:
    """So many changes of the first `among` endpoints, one after the other; `per_second`: no faster than that."""
    with client(port) as made:
        began = time.monotonic()
        for number, message in enumerate(islice(changes(endpoints, among, turn), count)):
            if per_second:
                time.sleep(max(0.0, began + number / per_second - time.monotonic()))
            made.update(message)
