"""Tokens, and the hashes that the registry keeps of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.channel import credentials as module
from sidecar.channel.credentials import FILE, FOLDER, Credentials, Token, parse_token

NOW = "2026-01-01T00:00:00Z"
PRINT = "ab" * 32


def test_a_token_is_good_for_its_node_and_nobody_else(tmp_path: Path) -> None:
    credentials = Credentials(tmp_path)
    token = Token("one", credentials.create("one", NOW), PRINT)
    credentials.create("two", NOW)
    assert parse_token(f"{token}\n") == token
    assert credentials.admitted(token.authorization) == "one"
    for other in (
        "", "Bearer", "Bearer one:", "Bearer one", f"Basic one:{token.secret}", f"Bearer two:{token.secret}",
        f"Bearer three:{token.secret}", f"Bearer one:{token.secret}x", "Bearer one:\udcff",
    ):  # fmt: skip
        assert credentials.admitted(other) is None, other


def test_only_a_hash_is_kept_and_for_the_owner_only(tmp_path: Path) -> None:
    secret = Credentials(tmp_path).create("one", NOW)
    path = tmp_path / FOLDER / FILE
    assert secret not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert secret not in repr(Token("one", secret, PRINT))


def test_what_another_process_changes_is_seen(tmp_path: Path) -> None:
    ours, theirs = Credentials(tmp_path), Credentials(tmp_path)
    token = Token("one", theirs.create("one", NOW), PRINT)
    assert ours.admitted(token.authorization) == "one"
    again = Token("one", theirs.create("one", NOW), PRINT)
    assert ours.admitted(token.authorization) is None
    assert ours.admitted(again.authorization) == "one"
    assert theirs.revoke("one")
    assert not theirs.revoke("one")
    assert ours.admitted(again.authorization) is None


def test_there_are_not_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_NODES", 2)
    credentials = Credentials(tmp_path)
    for name in ("one", "two", "one"):
        credentials.create(name, NOW)
    with pytest.raises(ValueError, match="revoke"):
        credentials.create("three", NOW)


@pytest.mark.parametrize("name", ["", "UPPER", "a:b", "a b", "x" * 254])
def test_a_node_has_a_name_of_dns(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="DNS"):
        Credentials(tmp_path).create(name, NOW)


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}', '{"a": {"hash": "x"}}', "\x00"])
def test_a_damaged_file_admits_nobody(tmp_path: Path, content: str) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / FILE).write_text(content)
    with pytest.raises(ValueError, match=FILE):
        Credentials(tmp_path).admitted("Bearer a:b")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a:secret",
        f"a:secret:{PRINT}:",
        f"A:secret:{PRINT}",
        "a:secret:zz",
        "a:secret:abcd",
        f":secret:{PRINT}",
    ],
)
def test_what_is_no_token_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="weft token create") as refusal:
        parse_token(text)
    assert "secret" not in str(refusal.value)
