"""HTTP/1.1 as bytes (RFC 9112): heads and bodies in and out, strict, without any I/O.

`request` and `response` read heads, `body` and `chunked` follow bodies, `answer` writes what the proxy says
itself.  What is malformed is refused by raising `errors.Malformed`; nothing is repaired.
"""
