"""The values of Secrets and ConfigMaps as bytes (core/v1), and base64 as manifests have it."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Iterator

from config.resources.core import ConfigMap, Secret


def secret_value(secret: Secret, key: str) -> bytes | None:
    """The value of `key`, or None if there is none; `stringData` wins.

    Raises ValueError with a sentence that says what is wrong when the value is not base64.
    """
    if key in secret.string_data:
        return secret.string_data[key].encode()
    return decode_base64(secret.data[key]) if key in secret.data else None


def config_map_value(item: ConfigMap, key: str) -> bytes | None:
    """The value of `key` in `data` or `binaryData`, or None.  Raises ValueError as `secret_value` does."""
    if key in item.data:
        return item.data[key].encode()
    return decode_base64(item.binary_data[key]) if key in item.binary_data else None


def secret_keys(secret: Secret) -> Iterator[str]:
    """All keys, each once, in the order in which they are written."""
    yield from dict.fromkeys((*secret.data, *secret.string_data))


def decode_base64(text: str) -> bytes:
    """Bytes of base64 text, which may be broken into lines.  Raises ValueError with a sentence."""
    try:
        return b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is not base64: encode the value, or write it as plain text in stringData") from None
