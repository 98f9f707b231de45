"""What a request is known by, for balancers that pick by a key: a header, a cookie, a parameter, or who sent it.

A key is looked for in the head as it goes to the endpoint.  Of several values the first counts; an empty key
means that there is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from config.balancing import HashKey

KeyOf = Callable[[bytes, str], bytes]
"""``key_of(head, client)``: the key of a request whose head (request line and field lines, each ended by CRLF) is
`head`, sent from the address `client`.  For a TCP connection the head is empty."""


def key_of(policy: HashKey | None) -> KeyOf | None:
    """What finds the key that `policy` asks for; None: no key is needed."""
    if policy is None:
        return None
    if policy.source_address:
        return _address
    if policy.header:
        return _found(rb"(?i:\r\n%s):[ \t]*([^\r\n]*)", policy.header)
    if policy.cookie:
        return _found(rb"(?i:\r\nCookie):(?:[^\r\n;]*;)*?[ \t]*%s=([^\r\n;]*)", policy.cookie)
    return _found(rb"\A[^ ]+ [^ ?]*\?(?:[^ &]*&)*?%s=([^ &]*)", policy.query)


def _address(_head: bytes, client: str) -> bytes:
    return client.encode()


def _found(pattern: bytes, name: str) -> KeyOf:
    search = re.compile(pattern % re.escape(name.encode())).search

    def find(head: bytes, _client: str) -> bytes:
        found = search(head)
        return found[1].rstrip(b" \t") if found else b""

    return find
