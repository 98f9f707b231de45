"""Asking the admin server of a running weft: where it is, what it says, and what it is to change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any

from sidecar.errors import UserError
from sidecar.options import Address, Options, parse_address
from sidecar.state import read_admin

DEFAULT = Address("127.0.0.1", 9901)
TIMEOUT_SECONDS = 5.0
WRITE_SECONDS = 90.0
"""Manifests are judged before they are stored, which takes its time when there are many."""
MAX_BYTES = 256 * 1024 * 1024
MAX_ERROR = MAX_LINE = 1024 * 1024


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
        connection, response = self._get(path)
        try:
            body = response.read(MAX_BYTES)
        except (OSError, HTTPException) as error:
            raise self._nobody(error) from None
        finally:
            connection.close()
        if response.status not in accept:
            raise UserError(f"what answers at {self.address} is not weft ({path} gave {response.status})")
        return body.decode("utf-8", "replace")

    def write(self, method: str, path: str, token: str, body: bytes = b"") -> tuple[int, Any]:
        """The status and the document of the answer to a request that changes something.

        Raises UserError for a refusal that has no document but an error.
        """
        connection = HTTPConnection(self.address.host, self.address.port, timeout=WRITE_SECONDS)
        try:
            connection.request(method, path, body, {"Authorization": f"Bearer {token}"})
            response = connection.getresponse()
            text = response.read(MAX_BYTES)
        except (OSError, HTTPException) as error:
            raise self._nobody(error) from None
        finally:
            connection.close()
        if refusal := _error(text):
            raise UserError(refusal)
        try:
            return response.status, json.loads(text)
        except ValueError:
            raise UserError(f"what answers at {self.address} is not weft ({path} is no JSON)") from None

    def lines(self, path: str) -> Iterator[Any]:
        """The lines of JSON of a stream, as they come, until the weft ends."""
        connection, response = self._get(path)
        try:
            if response.status != 200:
                raise UserError(_error(response.read(MAX_ERROR)) or f"{self.address} gave {response.status}")
            while line := response.readline(MAX_LINE):
                if line.strip():
                    yield json.loads(line)
        except (OSError, HTTPException, ValueError) as error:
            raise UserError(f"the weft at {self.address} has stopped ({error})") from None
        finally:
            connection.close()

    def _get(self, path: str) -> tuple[HTTPConnection, HTTPResponse]:
        connection = HTTPConnection(self.address.host, self.address.port, timeout=TIMEOUT_SECONDS)
        try:
            connection.request("GET", path)
            return connection, connection.getresponse()
        except (OSError, HTTPException) as error:
            connection.close()
            raise self._nobody(error) from None

    def _nobody(self, error: Exception) -> UserError:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return UserError(
            f"no weft answers at {self.address} ({reason}): is it running? "
            "--admin HOST:PORT or --state DIR names another"
        )


def _error(body: bytes) -> str:
    """What an answer of the admin server says is wrong; empty if it says nothing."""
    try:
        said = json.loads(body)
    except ValueError:
        return ""
    return str(said.get("error", "")) if isinstance(said, dict) else ""
