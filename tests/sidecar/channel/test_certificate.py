"""The registry's certificate in the state folder."""

from __future__ import annotations

import ssl
from hashlib import sha256
from pathlib import Path

import pytest

from config.keypair import CERTIFICATE, KEY
from mesh.tls.selfmade import make
from sidecar.channel.certificate import certificate
from sidecar.channel.credentials import FOLDER
from sidecar.errors import UserError


def test_it_is_made_once_and_kept_private(tmp_path: Path) -> None:
    pair = certificate(tmp_path)
    assert certificate(tmp_path) == pair
    assert (tmp_path / FOLDER / KEY).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / FOLDER).stat().st_mode & 0o777 == 0o700
    assert pair.fingerprint == sha256(ssl.PEM_cert_to_DER_cert(pair.chain.decode())).hexdigest()
    assert pair.context().minimum_version == ssl.TLSVersion.TLSv1_3


def test_one_that_is_given_is_used(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    chain, key = make(1_700_000_000)
    (tmp_path / FOLDER / CERTIFICATE).write_bytes(chain)
    (tmp_path / FOLDER / KEY).write_bytes(key)
    assert certificate(tmp_path)[:2] == (chain, key)


@pytest.mark.parametrize(("name", "content"), [(CERTIFICATE, b"nothing"), (KEY, b""), (KEY, make(0).key)])
def test_one_that_cannot_be_used_is_refused_in_words(tmp_path: Path, name: str, content: bytes) -> None:
    certificate(tmp_path)
    (tmp_path / FOLDER / name).write_bytes(content)
    with pytest.raises(UserError, match="certificate in"):
        certificate(tmp_path)


def test_without_its_key_it_is_refused(tmp_path: Path) -> None:
    certificate(tmp_path)
    (tmp_path / FOLDER / KEY).unlink()
    with pytest.raises(UserError, match="No such file"):
        certificate(tmp_path)
