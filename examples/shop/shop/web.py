"""The web front: its page is made of what the catalog and the cart say.

It finds them as any container in Kubernetes does, by the variables CATALOG_SERVICE_HOST, CATALOG_SERVICE_PORT,
and so on; every call goes through the load balancer and may reach another replica.
"""

from __future__ import annotations

import json
import os
from typing import Any

from shop.server import REPLICA, Answer, Request, serve


def call(service: str, path: str) -> Any:
    """What another service of the shop says, or why it says nothing."""
    from http.client import HTTPConnection, HTTPException  # takes longer to import than this server to start

    host, port = os.environ.get(f"{service}_SERVICE_HOST", ""), os.environ.get(f"{service}_SERVICE_PORT", "80")
    connection = HTTPConnection(host, int(port), timeout=5)
    try:
        connection.request("GET", path)
        return json.loads(connection.getresponse().read(65_536))
    except (OSError, HTTPException, ValueError) as error:
        return {"error": f"{service.lower()} at {host}:{port}: {error}"}
    finally:
        connection.close()


def page(_request: Request) -> Answer:
    parts = {"catalog": call("CATALOG", "/items"), "cart": call("CART", "/")}
    failed = any("error" in part for part in parts.values())
    return Answer(502 if failed else 200, {"service": "web", "replica": REPLICA, **parts})


def hello(_request: Request) -> Answer:
    return Answer(200, {"service": "web", "replica": REPLICA})


if __name__ == "__main__":
    serve({"/": page, "/hello": hello})
