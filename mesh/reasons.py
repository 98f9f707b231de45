"""Why the proxy itself ended a request: one table from the reason to what client, log and metrics are told.

The error types are those of RFC 9209 (Proxy-Status), section 2.3.
"""

from __future__ import annotations

from typing import NamedTuple


class Reason(NamedTuple):
    status: int
    """What the client is answered, if it can still be answered."""
    error: str
    """RFC 9209 error type; also the reason code of the metrics."""
    details: str
    log: bool = False
    """Whether it deserves a line in the log now and then: not what any client can cause at will."""
    retry_after: int = 0
    """Seconds after which the client may try again; 0: that is not known."""


BAD_REQUEST = Reason(400, "http_request_error", "malformed request")
REQUEST_TIMEOUT = Reason(408, "http_request_error", "the request did not arrive in time")
TARGET_TOO_LONG = Reason(414, "http_request_error", "the request target is over 16 KiB")
HEAD_TOO_LARGE = Reason(431, "http_request_error", "the request head is over 64 KiB or has over 100 fields")
NOT_IMPLEMENTED = Reason(501, "http_request_error", "not implemented")
VERSION_NOT_SUPPORTED = Reason(505, "http_request_error", "only HTTP/1.0 and HTTP/1.1 are spoken here")

CONTENT_TOO_LARGE = Reason(413, "http_request_error", "the request body is longer than is taken here")
DENIED = Reason(403, "http_request_denied", "this client is not allowed here")
RATE_LIMITED = Reason(429, "http_request_denied", "too many requests")

NOT_ROUTED = Reason(404, "destination_not_found", "no rule takes this host and path")
NO_SERVICE = Reason(503, "destination_not_found", "this rule leads to a Service or port that is not there", log=True)
NOT_SERVED = Reason(503, "destination_not_found", "this address no longer serves anything", log=True)
SCALED_TO_ZERO = Reason(503, "destination_unavailable", "the Service is scaled to zero", log=True)
NOBODY_WAKES = Reason(
    503, "destination_unavailable", "the Service is scaled to zero, and no autoscaler is there to wake it",
    log=True, retry_after=30,
)  # fmt: skip
NOT_WOKEN = Reason(
    503, "destination_unavailable", "the Service was scaled to zero, and no replica was ready in time",
    log=True, retry_after=5,
)  # fmt: skip
ROOM_FULL = Reason(
    503, "connection_limit_reached", "the Service is scaled to zero, and as many requests wait as may",
    log=True, retry_after=5,
)  # fmt: skip
SHARE_TAKEN = Reason(
    503, "connection_limit_reached", "the Service is scaled to zero, and this client has enough requests waiting",
    retry_after=5,
)  # fmt: skip
STOPPING = Reason(503, "destination_unavailable", "the Service is scaled to zero, and this proxy ends", retry_after=5)
NO_ENDPOINTS = Reason(503, "destination_unavailable", "the Service has no ready endpoint", log=True)
UNRESOLVED = Reason(502, "dns_error", "the name that the Service stands for does not resolve", log=True)
NO_ROOM = Reason(503, "connection_limit_reached", "as much is in flight as may be, and as many wait", log=True)
NO_ROOM_IN_TIME = Reason(
    503, "connection_limit_reached", "as much is in flight as may be, and this waited as long as it may", log=True
)
OUT_OF_RESOURCES = Reason(503, "proxy_internal_error", "this proxy is out of descriptors, ports or memory", log=True)
CONNECTION_REFUSED = Reason(502, "connection_refused", "the endpoint refused the connection", log=True)
UNREACHABLE = Reason(502, "destination_ip_unroutable", "the endpoint cannot be reached", log=True)
ENDPOINT_UNTRUSTED = Reason(502, "tls_certificate_error", "the endpoint's certificate is not trusted", log=True)
ENDPOINT_TLS = Reason(502, "tls_protocol_error", "the TLS handshake with the endpoint failed", log=True)
CONNECTION_TIMEOUT = Reason(504, "connection_timeout", "the endpoint did not accept the connection in time", log=True)
CONNECTION_TERMINATED = Reason(502, "connection_terminated", "the endpoint closed before it answered", log=True)
RESPONSE_TIMEOUT = Reason(504, "http_response_timeout", "the endpoint did not answer in time", log=True)
REQUEST_OVERDUE = Reason(504, "http_response_timeout", "the request took longer than it may in all", log=True)
OVERSTAYED = Reason(504, "http_response_timeout", "this proxy is shutting down, and drainTimeout has passed", log=True)
CUT_SHORT = Reason(503, "connection_terminated", OVERSTAYED.details, log=True)
"""The same for what is no HTTP."""
RESPONSE_INCOMPLETE = Reason(
    502, "http_response_incomplete", "the endpoint closed in the midst of its answer", log=True
)
RESPONSE_MALFORMED = Reason(502, "http_protocol_error", "the endpoint's answer is malformed", log=True)
RESPONSE_HEAD_TOO_LARGE = Reason(
    502, "http_response_header_section_size", "the answer's head is over 64 KiB or has over 100 fields", log=True
)
RESPONSE_CODING = Reason(
    502, "http_response_transfer_coding", "the answer has a transfer coding other than chunked", log=True
)
RESPONSE_STALLED = Reason(
    504, "connection_read_timeout", "the answer or its reader stopped in the midst of it", log=True
)
UPGRADE_FAILED = Reason(502, "http_upgrade_failed", "the endpoint switched to a protocol nobody asked for", log=True)
BODY_STALLED = Reason(408, "http_request_error", "the request body stopped coming")
NOT_INTRODUCED = Reason(400, "proxy_protocol_error", "a trusted proxy did not begin with a PROXY header", log=True)
SOURCE_REFUSED = Reason(403, "http_request_denied", "the client's address is not among loadBalancerSourceRanges")
TOO_MANY_SESSIONS = Reason(503, "connection_limit_reached", "the listener has as many UDP sessions as it may", log=True)
CLIENT_GONE = Reason(499, "client_closed", "the client closed before it was answered")
