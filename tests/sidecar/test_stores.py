"""Which store the settings ask for."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from config.meta import Named, ObjectMeta
from config.resources.core import Secret
from config.settings import EtcdSettings
from discovery.registry.etcd.store import EtcdStore
from discovery.registry.journal import Journal
from discovery.registry.store import Store
from sidecar.errors import UserError
from sidecar.stores import store_of

AT = ("https://127.0.0.1:1",)


def made(settings: EtcdSettings, folder: Path, **values: str) -> Store:
    secret = Secret(metadata=ObjectMeta("s", "default"), string_data=dict(values))
    return store_of(settings, {Named("default", "s"): secret}, folder, Random(1))


async def test_a_file_unless_there_are_endpoints(tmp_path: Path) -> None:
    store = made(EtcdSettings(tls="nothing is read"), tmp_path)
    assert isinstance(store, Journal)
    await store.close()


async def test_etcd(tmp_path: Path) -> None:
    first, second = (made(EtcdSettings(endpoints=AT), tmp_path) for _ in range(2))
    assert isinstance(first, EtcdStore)
    assert first.keeper != second.keeper
    assert not first.is_keeping


@pytest.mark.parametrize(
    ("settings", "values", "says"),
    [
        (EtcdSettings(endpoints=("a:1",)), {}, r"registry\.etcd: .a:1. is no endpoint"),
        (EtcdSettings(endpoints=AT, user="x"), {}, r"registry\.etcd: there is no Secret .x."),
        (EtcdSettings(endpoints=AT, tls="s"), {"ca.crt": "nonsense"}, "holds no certificates"),
        (EtcdSettings(endpoints=AT, tls="s"), {"tls.crt": "a", "tls.key": "b"}, "holds no private key"),
    ],
)
def test_what_cannot_be_followed(tmp_path: Path, settings: EtcdSettings, values: dict[str, str], says: str) -> None:
    with pytest.raises(UserError, match=says):
        made(settings, tmp_path, **values)
