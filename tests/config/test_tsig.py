"""Keys in Secrets: what a Service's namespace has, and what is said when it cannot be had."""

from __future__ import annotations

import pytest

from config.meta import Named, ObjectMeta
from config.resources.core import Secret
from config.tsig import TsigKey, read_key
from tests.config.test_dns_source import KEYS

KEY = Named("default", "key")


@pytest.mark.parametrize("case", KEYS)
def test_keys(case: str) -> None:
    values, expected = KEYS[case]
    secrets = {} if values is None else {KEY: Secret(metadata=ObjectMeta("key", "default"), string_data=values)}
    if isinstance(expected, TsigKey):
        assert read_key(KEY, secrets) == expected
    else:
        with pytest.raises(ValueError, match=expected):
            read_key(KEY, secrets)
