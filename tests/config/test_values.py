from __future__ import annotations

import pytest

from config.meta import ObjectMeta
from config.resources.core import Secret
from config.values import decode_base64, secret_keys, secret_value

SECRET = Secret(
    metadata=ObjectMeta(name="a"), data={"user": "YWRtaW4=", "both": "b2xk", "bad": "?"}, string_data={"both": "new"}
)


@pytest.mark.parametrize(("key", "value"), [("user", b"admin"), ("both", b"new"), ("other", None)])
def test_secrets(key: str, value: bytes | None) -> None:
    assert secret_value(SECRET, key) == value


def test_each_key_once() -> None:
    assert list(secret_keys(SECRET)) == ["user", "both", "bad"]


@pytest.mark.parametrize("text", ["?", "YWRtaW4", "a b c", "ä"])
def test_what_is_not_base64(text: str) -> None:
    with pytest.raises(ValueError, match="is not base64"):
        decode_base64(text)


def test_base64_over_several_lines() -> None:
    assert decode_base64("YWRt\n  aW4=\n") == b"admin"
