"""The cart: counts what was put into it.  Each replica counts for itself."""

from __future__ import annotations

from collections import Counter

from shop.server import REPLICA, Answer, Request, serve

CONTENT: Counter[str] = Counter()


def content(_request: Request) -> Answer:
    return Answer(200, {"service": "cart", "replica": REPLICA, "content": dict(CONTENT)})


def add(request: Request) -> Answer:
    item = request.query.get("item", "")
    if not item or (item not in CONTENT and len(CONTENT) >= 100):
        return Answer(400, {"replica": REPLICA, "error": "say which with ?item=NAME; a cart holds 100 names"})
    CONTENT[item] += 1
    return content(request)


if __name__ == "__main__":
    serve({"/": content, "/add": add})
