"""Options of the channel."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from sidecar.channel.options import ChannelOptions, add_join, add_peers, add_run, read_channel
from sidecar.errors import UserError
from sidecar.options import Address

THERE = Address("127.0.0.1", 9903)
ROWS: dict[str, tuple[list[str], ChannelOptions | None]] = {
    "nothing": ([], None),
    "a registry": (["--peers", "127.0.0.1:9903"], ChannelOptions(peers=THERE)),
    "a node": (["--join", "127.0.0.1:9903", "--token", "t"], ChannelOptions(join=(THERE,), token=Path("t"))),
    "a node with a choice": (
        ["--join", "127.0.0.1:9903", "--join", "b.example:9903", "--join", "127.0.0.1:9903", "--token", "t"],
        ChannelOptions(join=(THERE, Address("b.example", 9903)), token=Path("t")),
    ),
    "a registry by name": (
        ["--join", "registry.example:9903", "--token", "t"],
        ChannelOptions(join=(Address("registry.example", 9903),), token=Path("t")),
    ),
    "what to run": (
        ["--peers", "127.0.0.1:9903", "--run", "b/x", "--run", "a/y", "--run", "b/x"],
        ChannelOptions(peers=THERE, runs=("a/y", "b/x")),
    ),
}


def _parsed(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for add in (add_peers, add_join, add_run):
        add(parser)
    return parser.parse_args(words)


@pytest.mark.parametrize(("words", "expected"), ROWS.values(), ids=ROWS)
def test_what_is_given_is_read(words: list[str], expected: ChannelOptions | None) -> None:
    assert read_channel(_parsed(words)) == expected


@pytest.mark.parametrize("words", [["--join", "127.0.0.1:1"], ["--token", "t"], ["--run", "a/b"]])
def test_half_of_it_is_refused(words: list[str]) -> None:
    with pytest.raises(UserError, match=words[0]):
        read_channel(_parsed(words))


@pytest.mark.parametrize(
    "words",
    [
        ["--join", "nowhere"],
        ["--join", "a.example:x"],
        ["--join", "300.1.1.1:1"],
        ["--run-with", "all"],
        ["--peers", ":"],
        ["--run", "web"],
        ["--run", "A/b"],
    ],
)
def test_what_cannot_be_meant_is_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit):
        _parsed(words)


def test_without_any_of_the_options_there_is_no_channel() -> None:
    assert read_channel(argparse.Namespace()) is None
