"""Queries for the tests of filters."""

from __future__ import annotations

from mesh.filters.query import Query


def query(
    target: str = "/",
    *fields: str,
    method: str = "GET",
    host: str = "shop.example",
    length: int = 0,
    client: str = "192.0.2.1",
    now: float = 1000.0,
    secure: bool = False,
) -> Query:
    head = "".join(f"{line}\r\n" for line in (f"{method} {target} HTTP/1.1", f"Host: {host}", *fields))
    return Query(method.encode(), target.encode(), host.encode(), length, head.encode(), client, now, secure)
