"""The catalog: what the shop sells."""

from __future__ import annotations

from shop.server import REPLICA, Answer, Request, serve

ITEMS = {"bobbin": 120, "shuttle": 950, "loom": 49_000}
"""Prices in cents."""


def items(_request: Request) -> Answer:
    return Answer(200, {"service": "catalog", "replica": REPLICA, "items": ITEMS})


if __name__ == "__main__":
    serve({"/": items, "/items": items})
