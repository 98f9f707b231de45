"""CORS: who is granted what, in preflights and in other responses."""

from __future__ import annotations

import pytest

from config.filters import CORSPolicy
from mesh.filters.cors import CORS
from tests.mesh.filters.asking import query

ORIGIN = "https://shop.example"
OK = b"HTTP/1.1 200 OK\r\nA: b\r\n"


def preflight(policy: CORSPolicy, *fields: str, origin: str = ORIGIN) -> list[str] | None:
    asked = query("/", f"Origin: {origin}", "Access-Control-Request-Method: PUT", *fields, method="OPTIONS")
    reply = CORS(policy)(asked)
    if reply is None:
        return None
    assert (reply.reason.status, reply.reason.error) == (204, "")
    return CORS(policy).response(asked, reply.fields).decode().split("\r\n")[:-1]


METHODS = "Access-Control-Allow-Methods: GET, HEAD, POST"
AGE = "Access-Control-Max-Age: 5"
ALLOWED = f"Access-Control-Allow-Origin: {ORIGIN}"
CREDENTIALS = "Access-Control-Allow-Credentials: true"
VARY = "Vary: Origin"


@pytest.mark.parametrize(
    ("policy", "fields", "expected"),
    [
        (CORSPolicy((ORIGIN,)), [], [METHODS, AGE, ALLOWED, VARY]),
        (CORSPolicy(("*",)), [], [METHODS, AGE, "Access-Control-Allow-Origin: *"]),
        (CORSPolicy(("https://other.example",)), [], [VARY]),
        (CORSPolicy((ORIGIN,), allow_credentials=True), [], [METHODS, AGE, ALLOWED, CREDENTIALS, VARY]),
        (
            CORSPolicy((ORIGIN,), ("PUT",), ("X-A", "X-B"), max_age=600.0),
            ["Access-Control-Request-Headers: x-a"],
            [
                "Access-Control-Allow-Methods: PUT", "Access-Control-Allow-Headers: X-A, X-B",
                "Access-Control-Max-Age: 600", ALLOWED, VARY,
            ],
        ),
        (
            CORSPolicy((ORIGIN,), ("*",), ("*",)),
            ["Access-Control-Request-Headers: x-a,x-b"],
            [
                "Access-Control-Allow-Methods: PUT", "Access-Control-Allow-Headers: x-a,x-b", AGE, ALLOWED, VARY,
            ],
        ),
        (CORSPolicy((ORIGIN,), allow_headers=("*",)), [], [METHODS, AGE, ALLOWED, VARY]),
        (
            CORSPolicy((ORIGIN,), allow_headers=("*",)),
            ["Access-Control-Request-Headers: x\x01"],
            [METHODS, AGE, ALLOWED, VARY],
        ),
    ],
    ids=["named", "any", "other", "credentials", "lists", "whatever", "no headers asked", "no names"],
)  # fmt: skip
def test_preflights(policy: CORSPolicy, fields: list[str], expected: list[str]) -> None:
    assert preflight(policy, *fields) == expected


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("GET", [f"Origin: {ORIGIN}", "Access-Control-Request-Method: PUT"]),
        ("OPTIONS", [f"Origin: {ORIGIN}"]),
        ("OPTIONS", ["Access-Control-Request-Method: PUT"]),
    ],
)
def test_what_is_no_preflight_goes_to_the_endpoint(method: str, fields: list[str]) -> None:
    assert CORS(CORSPolicy((ORIGIN,)))(query("/", *fields, method=method)) is None


@pytest.mark.parametrize(
    ("pattern", "origin", "allowed"),
    [
        ("https://shop.example", "https://shop.example", True),
        ("https://shop.example", "http://shop.example", False),
        ("https://shop.example", "https://shop.example:8443", False),
        ("https://shop.example", "https://shopxexample", False),
        ("https://shop.example", "https://evil.example#https://shop.example", False),
        ("https://*.shop.example", "https://a.shop.example", True),
        ("https://*.shop.example", "https://a.b.shop.example", True),
        ("https://*.shop.example", "https://shop.example", False),
        ("https://*.shop.example", "https://evilshop.example", False),
        ("https://*.shop.example", "https://evil.example/.shop.example", False),
        ("https://*.shop.example", "https://.shop.example", False),
        ("https://*.shop.example:8443", "https://a.shop.example:8443", True),
        ("https://shop.example", "null", False),
        ("http://[::1]:3000", "http://[::1]:3000", True),
    ],
)
def test_origins(pattern: str, origin: str, allowed: bool) -> None:
    lines = CORS(CORSPolicy((pattern,))).response(query("/", f"Origin: {origin}"), OK)
    assert (f"Allow-Origin: {origin}\r\n".encode() in lines) == allowed
    assert lines.endswith(b"Vary: Origin\r\n")


def test_what_the_endpoint_grants_does_not_count() -> None:
    says = OK + b"access-control-allow-origin: *\r\nAccess-Control-Allow-Credentials: true\r\n"
    cors = CORS(CORSPolicy((ORIGIN,), expose_headers=("X-A",)))
    assert cors.response(query(), says) == OK + b"Vary: Origin\r\n"
    assert cors.response(query("/", f"Origin: {ORIGIN}"), says) == (
        OK
        + b"Access-Control-Allow-Origin: https://shop.example\r\nAccess-Control-Expose-Headers: X-A\r\nVary: Origin\r\n"
    )
