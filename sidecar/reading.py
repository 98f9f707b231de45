"""Reading from the admin server of a running weft: where it is, and what it says."""

from __future__ import annotations

import json
from http.client import HTTPConnection, HTTPException
from typing import Any

from sidecar.errors import UserError
from sidecar.options import Address, Options, parse_address
from sidecar.state import read_admin

DEFAULT = Address("127.0.0.1", 9901)
TIMEOUT_SECONDS = 5.0
MAX_BYTES = 256 * 1024 * 1024


def admin_address(options: Options) -> Address:
    """``--admin``, else what the weft of the state folder has noted there, else the default."""
    if options.admin:
        return options.admin
    noted = read_admin(options.state)
    try:
        return parse_address(noted) if noted else DEFAULT
    except ValueError:
        return DEFAULT


class AdminClient:
    """Asks one admin server; raises UserError when no weft answers there."""

    def __init__(self, address: Address) -> None:
        self.address = address

    def json(self, path: str, accept: tuple[int, ...] = (200,)) -> Any:
        try:
            return json.loads(self.text(path, accept))
        except ValueError:
            raise UserError(f"what answers at {self.address} is not weft ({path} is no JSON)") from None

    def text(self, path: str, accept: tuple[int, ...] = (200,)) -> str:
        connection = HTTPConnection(self.address.host, self.address.port, timeout=TIMEOUT_SECONDS)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read(MAX_BYTES)
        except (OSError, HTTPException) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise UserError(
                f"no weft answers at {self.address} ({reason}): is `weft up` running? --admin HOST:PORT names another"
            ) from None
        finally:
            connection.close()
        if response.status not in accept:
            raise UserError(f"what answers at {self.address} is not weft ({path} gave {response.status})")
        return body.decode("utf-8", "replace")
