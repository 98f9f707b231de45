"""What the admin API says of the channel, and the stored manifests that are written through it.

``GET /api/v1/nodes``: the nodes.  ``/api/v1/manifests``: GET lists what is stored, without its content; POST of
``{"files": [{"name", "text"}]}`` applies, DELETE of ``{"objects": [{"kind", "namespace", "name"}]}`` deletes those that
are stored; both with ``dry-run`` change nothing.  A change that is refused gets 422, and all that is wrong.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

import msgspec

from config.errors import Fault
from config.meta import ObjectKey
from discovery.registry.content import SERIALS, later
from discovery.registry.store import StoreError
from sidecar.channel.keeping import MOST_BYTES, Keeping
from sidecar.channel.nodes import KnownNode, Nodes
from sidecar.channel.proposal import STORED
from sidecar.channel.shelf import Shelf
from sidecar.documents import Document, Query, Refused
from sidecar.logs import timestamp

MOST_FAULTS: Final = 1000


class _File(msgspec.Struct, frozen=True):
    name: str
    text: str


class _Object(msgspec.Struct, frozen=True):
    kind: str
    namespace: str
    name: str


class _Files(msgspec.Struct, frozen=True):
    files: list[_File]


class _Objects(msgspec.Struct, frozen=True):
    objects: list[_Object]


_Asked = TypeVar("_Asked", _Files, _Objects)


class Administration:
    """Answers by path and method."""

    def __init__(self, keeping: Keeping, nodes: Nodes, serial: Callable[[], int], shelf: Shelf) -> None:
        """`serial`: of endpoints.Z, which nodes should have in force."""
        self._keeping = keeping
        self._nodes = nodes
        self._serial = serial
        self._shelf = shelf

    def nodes(self) -> tuple[int, Document]:
        now = self._nodes.clock()
        leased = self._nodes.leased()
        known = {node.name: node for node in self._nodes}
        serial = self._serial()
        return 200, {
            "serial": serial,
            "manifests": self._shelf.generation,
            "nodes": (
                _node(name, known.get(name), name in leased, serial, now) for name in sorted(known.keys() | leased)
            ),
            "unconfirmed": [
                {"at": timestamp(time.time() - now + each.at), "serial": each.serial, "nodes": list(each.missing)}
                for each in self._nodes.unconfirmed
            ],
        }

    def stored(self) -> tuple[int, Document]:
        """The keys of what is stored: the objects themselves are listed where they are in force, without secrets."""
        stored = self._keeping.stored
        return 200, {
            "generation": self._shelf.generation,
            "manifests": ({**key._asdict(), "source": stored[key].source} for key in sorted(stored)),
        }

    async def write(self, method: str, query: Query, body: bytes) -> tuple[int, Document]:
        """POST and DELETE of ``/api/v1/manifests``.  Raises `Refused`."""
        dry_run = "dry-run" in query
        try:
            if method == "POST":
                files = [(each.name, each.text) for each in _decoded(body, _Files).files]
                outcome = await self._keeping.apply(files, dry_run=dry_run)
            else:
                keys = [ObjectKey(each.kind, each.namespace, each.name) for each in _decoded(body, _Objects).objects]
                outcome = await self._keeping.delete(keys, dry_run=dry_run)
        except (StoreError, OSError) as error:
            raise Refused(f"it cannot be stored: {error}", 503) from None
        document = {
            "changes": [{**change.key._asdict(), "what": change.what} for change in outcome.changes],
            "faults": list(_faults(outcome.faults)),
        }
        return (422 if outcome.refused else 200), document


def _node(name: str, node: KnownNode | None, leased: bool, serial: int, now: float) -> dict[str, object]:
    """One node; what is not known of it is null."""
    if node is None:
        return {"name": name, "leased": leased, "connected": False}
    hello = node.hello
    return {
        "name": name,
        "leased": leased,
        "connected": node.connected > 0,
        "role": hello.role if hello else None,
        "version": hello.weft if hello else None,
        "address": node.address,
        "serial": node.serial,
        "lag": None if node.serial is None else (serial - node.serial) % SERIALS if later(serial, node.serial) else 0,
        "manifests": node.manifests,
        "lastContactSeconds": round(max(now - node.last_contact, 0.0), 3),
        "connectedSeconds": round(now - node.since, 3) if node.connected else None,
    }


def _decoded(body: bytes, shape: type[_Asked]) -> _Asked:
    if len(body) > MOST_BYTES:
        raise Refused(f"more than {MOST_BYTES >> 20} MiB of manifests at once", 413)
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise Refused(f"the body is not what it should be: {error}") from None


def _faults(faults: tuple[Fault, ...]) -> Iterator[dict[str, str]]:
    for fault in faults[:MOST_FAULTS]:
        yield {
            "severity": fault.severity,
            # Of what is stored nobody knows lines: it is one, as the registry wrote it.
            "source": fault.source.file if fault.source.file.startswith(STORED) else str(fault.source),
            "object": str(fault.object or ""),
            "path": fault.path,
            "message": fault.message,
        }
