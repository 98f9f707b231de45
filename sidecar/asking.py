"""What the admin server is asked beside its listings: why a request goes where it goes, and what goes by now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Final

import msgspec

from mesh.plan import BackendKey
from mesh.recent import Recent
from mesh.tap import Filter, Tap, parse_statuses
from sidecar.documents import Document, Query, Refused
from sidecar.running import Running

if TYPE_CHECKING:
    from sidecar.explain.explanation import Known

MOST_TAPS: Final = 8
HEARTBEAT: Final = 2.0
"""Seconds without an exchange after which an empty line is sent, so that a reader who left is noticed."""
BATCH: Final = 100


class Asking:
    """Answers questions about one running node."""

    def __init__(self, running: Running, recent: Recent, clock: Callable[[], float]) -> None:
        self._running = running
        self._recent = recent
        self._clock = clock
        self._taps = 0

    def explain(self, query: Query) -> tuple[int, Document]:
        """``url`` (and ``method``, ``header``, ``client``), or ``id`` of an exchange of a moment ago."""
        from sidecar.explain.explanation import Known, explain  # half a megabyte that few ask for
        from sidecar.explain.question import BadQuestion, parse_question

        compiled = self._running.publisher.compiled
        if compiled is None:
            raise Refused("no routing table is in force yet: try again", 503)
        known = Known(compiled, self._running.listeners.states, self._clock())
        if "id" in query:
            return 200, self._explain_exchange(query["id"][0], known)
        url, method, client = _one(query, "url"), _one(query, "method", "GET"), _one(query, "client", "127.0.0.1")
        try:
            return 200, explain(parse_question(url, method, query.get("header", ()), client), known)
        except BadQuestion as fault:
            raise Refused(str(fault)) from None

    def _explain_exchange(self, request_id: str, known: Known) -> Document:
        record = self._recent.find(request_id)
        if record is None:
            kept = len(self._recent.records())
            which = "the last exchanges" if self._recent.complete else "exchanges that this proxy itself ended"
            raise Refused(
                f"no exchange {request_id[:128]} is remembered: {kept} of {which} are kept; "
                "weft tap, or recent.keep: all in the NodeConfig, keeps good ones too",
                404,
            )
        backend = known.compiled.backends.get(BackendKey(record.namespace, record.service, record.port))
        from sidecar.explain.explanation import explain_record

        return explain_record(record, backend, known)

    def tap(self, query: Query) -> AsyncGenerator[bytes, None]:
        """A line of JSON for each exchange that ends and passes the filter of the query."""
        try:
            statuses = parse_statuses(_one(query, "status", ""))
        except ValueError as fault:
            raise Refused(str(fault)) from None
        namespace, service = _one(query, "namespace", ""), _one(query, "service", "")
        self._require(namespace, service)
        if self._taps >= MOST_TAPS:
            raise Refused(f"{MOST_TAPS} are watching already: end one of them", 503)
        wanted = Filter(
            namespace=namespace,
            service=service,
            method=_one(query, "method", ""),
            path=_one(query, "path", ""),
            statuses=statuses,
            failed="failed" in query,
            protocol=_one(query, "protocol", ""),
        )
        return self._lines(wanted, "recent" in query)

    def _require(self, namespace: str, service: str) -> None:
        """Raises Refused for a Service that is not there: nothing would ever be shown."""
        there = [named for named in self._running.config_set.services if namespace in ("", named.namespace)]
        if service and not any(named.name == service for named in there):
            from config.suggestions import did_you_mean

            where = f" in namespace {namespace}" if namespace else ""
            hint = did_you_mean(service, [named.name for named in there])
            raise Refused(f'no Service "{service[:128]}" is in force{where}{hint}', 404)

    async def _lines(self, wanted: Filter, recent: bool) -> AsyncGenerator[bytes, None]:
        tap = Tap(wanted)
        self._taps += 1
        self._recent.watch(tap)
        try:
            kept = self._recent.records() if recent else ()
            for start in range(0, len(kept), BATCH):
                passing = filter(wanted.accepts, kept[start : start + BATCH])
                yield b"".join(msgspec.json.encode(record) + b"\n" for record in passing)
                await asyncio.sleep(0)  # traffic goes on while this is made
            yield b"\n"
            while True:
                records, lost = await tap.take(HEARTBEAT, BATCH)
                lines = [msgspec.json.encode(record) for record in records]
                lines += [msgspec.json.encode({"lost": lost})] if lost else []
                yield b"\n".join([*lines, b""]) or b"\n"
        finally:
            self._recent.leave(tap)
            self._taps -= 1


def _one(query: Query, name: str, default: str | None = None) -> str:
    values = query.get(name)
    if values:
        return values[0]
    if default is None:
        raise Refused(f"the query needs {name}=")
    return default
