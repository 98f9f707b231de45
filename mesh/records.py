"""Records of what is no exchange: relayed connections and sessions once they are over, and heads that were refused.

They go where those of exchanges go (`mesh.access_log`), and cost nothing while nobody wants them: who ends asks
`wanted` first, as an Exchange does.  What has no id of its own is given one, by which ``weft explain --id`` finds it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from mesh.access_log import AccessRecord, Protocol
from mesh.backend import Backend
from mesh.endpoint_state import EndpointState
from mesh.http1.answer import answer
from mesh.plan import BackendKey
from mesh.proxy import Proxy
from mesh.reasons import CLIENT_GONE, CONNECTION_TERMINATED, Reason
from mesh.table import ListenerKey

BROKEN_BY: Final = (CLIENT_GONE.error, CONNECTION_TERMINATED.error)
"""Why a stream did not end as it should, by the side that broke it: the client's, the endpoint's."""
NOTHING: Final = BackendKey("", "", "")
"""Where it led what came to an address that serves nothing any more."""
_BEGINNING: Final = 2048
"""Bytes of a refused head that are looked at: what begins a record is its request line."""
_REQUEST_LINE: Final = re.compile(rb"([!#-'*+.0-9A-Z^-z|~-]{1,64}) ([!-~]{1,2048}) HTTP/1\.([01])\r?\n").match
_HOST: Final = re.compile(rb"\r?\n[Hh][Oo][Ss][Tt]:[ \t]*([!-~]{1,255})").search


def wanted(proxy: Proxy, failed: object) -> Callable[[AccessRecord], None] | None:
    """Who is told of what ends now; None: nobody, and no record is to be made."""
    return proxy.access_log or (proxy.failure_log if failed else None)


class Way(NamedTuple):
    """What came, where, from whom, and where it led."""

    protocol: Protocol
    listener: ListenerKey
    client: str
    backend: BackendKey
    proxy: Proxy


def flow(
    way: Way, seconds: float, state: EndpointState | None = None, *, tries: int, moved: tuple[int, int], reason: str
) -> AccessRecord:
    """Of a connection or session that ends now; `state` is the last try's, `moved` what client and endpoint sent."""
    seconds = max(seconds, 0.0)
    return AccessRecord(
        time=time.time() - seconds,
        client=way.client,
        listener=str(way.listener),
        namespace=way.backend.namespace,
        service=way.backend.service,
        port=way.backend.port,
        reason=reason,
        endpoint=state.name if state is not None else "",
        tries=tries,
        seconds=seconds,
        bytes_in=moved[0],
        bytes_out=moved[1],
        request_id=next(way.proxy.request_ids).decode("ascii"),
        protocol=way.protocol,
    )


def refuse_head(way: Way, backend: Backend | None, reason: Reason, details: str = "", data: bytes = b"") -> bytes:
    """Count and record `data`, which becomes no exchange; returns what its client is answered."""
    request_id = next(way.proxy.request_ids)
    if backend is not None:
        backend.failed(reason, details)
    message = answer(reason, details or reason.details, request_id, head_only=False, close=True)
    log = wanted(way.proxy, reason)
    if log is not None:
        log(refused_head(way, reason, data, len(message), request_id))
    return message


def refused_head(way: Way, reason: Reason, data: bytes, sent: int, request_id: bytes) -> AccessRecord:
    """Of `data` that was to be a request's head; what can be told of the request is, if it is well-formed so far."""
    data, length = data[:_BEGINNING], len(data)
    line, host = _REQUEST_LINE(data.lstrip(b"\r\n")), _HOST(data)
    return AccessRecord(
        time=time.time(),
        client=way.client,
        listener=str(way.listener),
        namespace=way.backend.namespace,
        service=way.backend.service,
        port=way.backend.port,
        method=line[1].decode("ascii") if line else "",
        target=line[2].decode("ascii") if line else "",
        status=reason.status,
        reason=reason.error,
        bytes_in=length,
        bytes_out=sent,
        request_id=request_id.decode("ascii"),
        host=host[1].decode("ascii") if host else "",
        minor=int(line[3]) if line else 1,
    )
