"""A response in the framing that its client knows (RFC 9112 section 6): who speaks 1.0 gets no chunks."""

from __future__ import annotations

from mesh.http1.body import CHUNKED, UNTIL_CLOSE, Body, EncodedBody, EndlessBody, LengthBody
from mesh.http1.chunked import ChunkedBody
from mesh.http1.response import Response, read_careful_response
from mesh.reasons import RESPONSE_MALFORMED


def reframe(response: Response, head: bytes, bodiless: bool, minor: int, persistent: bool) -> tuple[bytes, Body, bool]:
    """The head for a client that speaks HTTP/1.`minor`, the body that follows, and whether the client's
    connection can go on after it.  `bodiless`: the response to HEAD."""
    length = 0 if bodiless else response.length
    lines = response.lines(head)
    body: Body
    if length == CHUNKED and minor:
        body = ChunkedBody(RESPONSE_MALFORMED)
    elif length == CHUNKED:
        lines, persistent = read_careful_response(head).start, False
        body = ChunkedBody(RESPONSE_MALFORMED, decode=True)
    elif length == UNTIL_CLOSE and minor:
        lines += b"Transfer-Encoding: chunked\r\n"
        body = EncodedBody()
    elif length == UNTIL_CLOSE:
        body, persistent = EndlessBody(), False
    else:
        body = LengthBody(length)
    if not persistent:
        lines += b"Connection: close\r\n"
    elif not minor:
        lines += b"Connection: keep-alive\r\n"
    return lines + b"\r\n", body, persistent
