"""A weft that answers the admin API from a table, for commands that read it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@contextmanager
def answering(documents: Mapping[str, Any]) -> Iterator[str]:
    """``HOST:PORT`` of a server that gives these documents by path; one that can be called is made anew each time."""

    class Weft(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            document = documents[self.path]
            self.wfile.write(json.dumps(document() if callable(document) else document).encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the base class gives it
            """Tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Weft)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
