"""What is said over the channel: WebSocket text messages (RFC 6455) of JSON, told apart by their field ``is``.

A node begins with `Hello`, the registry answers with `Welcome`; then the registry sends all manifests that are the
node's, and later what differs, while the node tells what it has in force.  Nothing here is queued: every message
says how things stand, so one that was not sent is made up for by the next.  All is bounded, and what is not one of
these messages ends the connection.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta

from config.meta import Named, ObjectKey
from mesh.stats import BackendFrame
from sidecar.channel.tally import MOST_REPLICAS, Load

VERSION: Final = 1
PATH: Final = "/channel"
HEARTBEAT_SECONDS: Final = 5.0
"""Either side asks whether the other is there when it has not heard from it for so long; half as long it waits."""
HELLO_SECONDS: Final = 5.0
"""From the connection to the hello, and from that to the welcome."""
SEND_SECONDS: Final = 10.0
"""A peer that does not take a message for so long is cut off; it comes again and gets everything anew."""
LARGEST_OBJECT: Final = 1 << 20
"""Bytes of one manifest."""
LARGEST_BATCH: Final = 256 << 10
"""Bytes of manifests in one message, unless one alone has more."""
LARGEST_MESSAGE: Final = LARGEST_OBJECT + LARGEST_BATCH
MOST_BACKENDS: Final = 256
"""In one message of stats."""
MOST_RUNS: Final = 1000
MOST_LABELS: Final = 64
MOST_BEHIND: Final = 100
"""Services behind which one workload stands."""
MOST_COPIES: Final = 2000
"""Replicas in one message."""
MOST_BUSY: Final = 1000
MOST_USES: Final = 1500
"""Services that a sidecar may use."""
MOST_SECONDS: Final = 60.0
"""That a question may wait for its answer."""

Name = Annotated[str, Meta(max_length=253)]
Word = Annotated[str, Meta(max_length=64)]
Serial = Annotated[int, Meta(ge=0, lt=2**32)]
Generation = Annotated[int, Meta(ge=0, lt=2**62)]


class Manifest(msgspec.Struct, frozen=True, array_like=True):
    """An object as it is stored."""

    kind: Word
    namespace: Name
    name: Name
    source: str
    """Where it was written before it was applied."""
    body: msgspec.Raw
    """JSON."""

    @property
    def key(self) -> ObjectKey:
        return ObjectKey(self.kind, self.namespace, self.name)


class Message(msgspec.Struct, frozen=True, tag_field="is", rename="camel", omit_defaults=True):
    """Base of all messages."""


# -- up


class Hello(Message, frozen=True, tag="hello"):
    version: int
    """Of the protocol."""
    weft: Word
    """Version of the program."""
    role: Word = ""
    runs: Annotated[tuple[str, ...], Meta(max_length=MOST_RUNS)] = ()
    """``NAMESPACE/NAME`` of the Deployments that this node runs."""
    partial: bool = False
    """Whether it wants manifests only of the Services that it uses; then `Uses` says which, and is awaited."""


class InForce(Message, frozen=True, tag="in-force"):
    """What the node's traffic is carried by."""

    serial: Serial | None = None
    """Of endpoints.Z; None: there is no copy yet."""
    manifests: Generation = 0
    busy: Annotated[tuple[Name, ...], Meta(max_length=MOST_BUSY)] = ()
    """Replicas that are to end, get nothing new from this node, and have something in flight from it."""


class Uses(Message, frozen=True, tag="uses"):
    """All Services that are used by one who wants the manifests of no others, there or not."""

    number: Annotated[int, Meta(ge=1, lt=2**62)]
    """Higher than of any before on this connection."""
    services: Annotated[tuple[Name, ...], Meta(max_length=MOST_USES)] = ()
    """``NAMESPACE/NAME``."""


class Stats(Message, frozen=True, tag="stats"):
    """Counters that are not what they were; all of them when `whole`."""

    backends: Annotated[list[BackendFrame], Meta(max_length=MOST_BACKENDS)]
    whole: bool = False


class Await(Message, frozen=True, tag="await"):
    """Asks to be told once every node has a serial in force."""

    id: Generation
    seconds: Annotated[float, Meta(ge=0, le=MOST_SECONDS)]
    """Then the answer says who has not."""
    serial: Serial | None = None
    """None: the one that the registry has when it is asked."""


class AwaitIdle(Message, frozen=True, tag="await-idle"):
    """Asks to be told once no node has anything in flight on a replica that gets nothing new."""

    id: Generation
    seconds: Annotated[float, Meta(ge=0, le=MOST_SECONDS)]
    replica: Name


class Copy(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A replica at its node; as `mesh.autoscaling.target.Copy`."""

    id: Name
    ready: bool
    terminating: bool
    pending: bool
    started: float
    since: float


class Used(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a container uses; as `mesh.autoscaling.target.ContainerUsage`."""

    container: Name
    cpu_seconds: float | None
    memory: float | None
    requests: Annotated[dict[Word, Word], Meta(max_length=16)]
    at: float = 0.0
    """By the node's clock."""


class Workload(msgspec.Struct, frozen=True, rename="camel"):
    """A Deployment that the node runs, and that has an autoscaler; of a workload of another kind, what it uses here."""

    name: Name
    """As in `Wanted`."""
    desired: Annotated[int, Meta(ge=0)]
    copies: Annotated[tuple[Copy, ...], Meta(max_length=MOST_COPIES)] = ()
    usage: Annotated[dict[Name, tuple[Used, ...]], Meta(max_length=MOST_COPIES)] = {}


class Scales(Message, frozen=True, tag="scales"):
    """All that autoscalers need to know of this node beside counters."""

    workloads: Annotated[tuple[Workload, ...], Meta(max_length=MOST_RUNS)] = ()
    """That are run here."""
    loads: Annotated[dict[Name, Load], Meta(max_length=MOST_REPLICAS)] = {}
    """What is sent from here to replicas, wherever they run."""


class Wake(Message, frozen=True, tag="wake"):
    """A request waits for a workload that sleeps at zero."""

    name: Name
    """As in `Wanted`."""


# -- down


class Welcome(Message, frozen=True, tag="welcome"):
    version: int
    weft: Word
    refused: Annotated[tuple[str, ...], Meta(max_length=MOST_RUNS)] = ()
    """Of the Deployments in the hello, those that the node's token is not for."""


class Standing(Message, frozen=True, tag="standing"):
    """Whether this registry is the one of several that acts, as it does until it says otherwise."""

    standby: Annotated[str, Meta(max_length=1000)] = ""
    """Why it does not act; empty: it does."""


class Manifests(Message, frozen=True, tag="manifests"):
    """What differs, or everything; in several messages while there is `more`."""

    generation: Generation
    put: list[Manifest] = []
    gone: list[ObjectKey] = []
    whole: bool = False
    more: bool = False
    uses: Generation = 0
    """In the last message: the number of the `Uses` that it is made of; 0: there was none."""


class Awaited(Message, frozen=True, tag="awaited"):
    id: Generation
    serial: Serial
    missing: tuple[str, ...] = ()
    """Nodes that did not confirm in time, or are not idle yet."""


class Wanted(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What an autoscaler wants of a Deployment."""

    name: Name
    """``NAMESPACE/NAME`` of a Deployment; ``KIND:NAMESPACE/NAME`` of a workload of another kind."""
    sleeps: bool = False
    """Whether it may be at zero, and `Wake` is heard."""
    replicas: Annotated[int, Meta(ge=0)] | None = None
    """That this node is to have; None: as many as it has."""
    victims: Annotated[tuple[Name, ...], Meta(max_length=MOST_COPIES)] = ()
    """Who goes first."""
    labels: Annotated[dict[Name, Word], Meta(max_length=MOST_LABELS)] = {}
    """Of its pods, where it `sleeps`: the Services that select these may be woken."""
    services: Annotated[tuple[Name, ...], Meta(max_length=MOST_BEHIND)] = ()
    """``NAMESPACE/NAME`` of the Services behind which it stands, where it `sleeps` and nobody can tell by labels."""
    size: Annotated[int, Meta(ge=0)] | None = None
    """How many replicas of a workload of another kind there are to be, where it `sleeps`; None: that is not known."""
    measured: bool = False
    """Whether it is asked for what its replicas use."""


class Autoscaled(Message, frozen=True, tag="autoscaled"):
    """All Deployments that have an autoscaler: counts come down, and nothing else that is executed."""

    workloads: Annotated[tuple[Wanted, ...], Meta(max_length=MOST_RUNS)] = ()
    incomplete: bool = False
    """Others may have one as well: this registry has not read yet all that is stored, or does not act."""


Upward = Hello | InForce | Uses | Stats | Await | AwaitIdle | Scales | Wake
Downward = Welcome | Standing | Manifests | Awaited | Autoscaled


class Garbage(Exception):
    """What came is no message of this channel; the text says why, without quoting it."""


_encoder: Final = msgspec.json.Encoder()
_upward: Final[msgspec.json.Decoder[Upward]] = msgspec.json.Decoder(Upward)
_downward: Final[msgspec.json.Decoder[Downward]] = msgspec.json.Decoder(Downward)
M = TypeVar("M")


def named(text: str) -> Named:
    """``NAMESPACE/NAME`` taken apart."""
    namespace, _, name = text.partition("/")
    return Named(namespace, name)


def encoded(message: Message) -> str:
    return _encoder.encode(message).decode()


def decode_upward(text: str) -> Upward:
    """What a node said.  Raises `Garbage`."""
    return _decoded(_upward, text)


def decode_downward(text: str) -> Downward:
    """What the registry said.  Raises `Garbage`."""
    return _decoded(_downward, text)


def _decoded(decoder: msgspec.json.Decoder[M], text: str) -> M:
    try:
        return decoder.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Garbage(f"not a message of the channel: {error}"[:200]) from None
