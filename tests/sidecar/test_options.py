"""Addresses and options as they are typed."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from sidecar import cli
from sidecar.options import (
    Address,
    add_options,
    default_state,
    parse_address,
    read_lasting_path,
    read_options,
    read_path,
    read_seconds,
)

ADDRESSES = {
    "v4": ("127.0.0.1:9901", Address("127.0.0.1", 9901)),
    "v6": ("[::1]:80", Address("::1", 80)),
    "name": ("localhost:1", Address("127.0.0.1", 1)),
    "any port": ("0.0.0.0:0", Address("0.0.0.0", 0)),
}
NO_ADDRESSES = [
    "",
    "9901",
    "127.0.0.1",
    "127.0.0.1:",
    "127.0.0.1:65536",
    "::1:80",
    "127.0.0.1:+3",
    "127.0.0.1:1_0",
    "127.0.0.1:٣",
    "[::1]",
    "host:1",
]


@pytest.mark.parametrize("name", ADDRESSES)
def test_addresses_are_read_and_written(name: str) -> None:
    text, address = ADDRESSES[name]
    assert parse_address(text) == address
    assert parse_address(str(address)) == address


@pytest.mark.parametrize("text", NO_ADDRESSES)
def test_what_is_no_address_is_refused_with_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"HOST:PORT|is not a port|is not an IP address|needs brackets"):
        parse_address(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("3", 3.0), ("0.5", 0.5), (".5", 0.5), ("3s", 3.0), ("1m30s", 90.0), ("300ms", 0.3)]
)
def test_times_take_units_and_bare_numbers_are_seconds(text: str, seconds: float) -> None:
    assert read_seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "x", "3 s", "-1s", "3 seconds"])
def test_what_is_no_time_is_refused_with_words(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not a duration, such as 300ms, 1s or 1m30s"):
        read_seconds(text)


@pytest.mark.parametrize(
    ("environ", "uid", "folder"),
    [
        ({"XDG_STATE_HOME": "/x"}, 0, Path("/var/lib/weft")),
        ({"XDG_STATE_HOME": "/x"}, 1000, Path("/x/weft")),
        ({"XDG_STATE_HOME": "relative"}, 1000, Path.home() / ".local/state/weft"),
        ({}, 1000, Path.home() / ".local/state/weft"),
    ],
)
def test_the_default_state_folder(environ: dict[str, str], uid: int, folder: Path) -> None:
    assert default_state(environ, uid) == folder


@pytest.mark.parametrize(
    "words", [["--state", "/s", "go"], ["go", "--state", "/s"], ["--state", "/t", "go", "--state", "/s"]]
)
def test_options_stand_before_or_after_the_command(words: list[str]) -> None:
    parser = argparse.ArgumentParser()
    add_options(parser)
    add_options(parser.add_subparsers().add_parser("go"))
    options = read_options(parser.parse_args(words))
    assert options.state == Path("/s")
    assert (options.admin, options.log_level, options.log_format) == (None, "", "text")


PATHS = {
    "this folder": (".", Path(), ""),
    "nothing": ("", "an empty path", ""),
    "standard input": ("-", Path("/dev/stdin"), "save them in a file"),
    "a pipe of the shell": ("/dev/fd/63", Path("/dev/fd/63"), "save them in a file"),
}


@pytest.mark.parametrize("name", PATHS)
def test_paths(name: str) -> None:
    text, read, refused = PATHS[name]
    if isinstance(read, Path):
        assert read_path(text) == read
    else:
        refused = read
        with pytest.raises(argparse.ArgumentTypeError, match=refused):
            read_path(text)
    if refused:
        with pytest.raises(argparse.ArgumentTypeError, match=refused):
            read_lasting_path(text)
    else:
        assert read_lasting_path(text) == read


@pytest.mark.parametrize(
    "words", [["up", ""], ["validate", ""], ["diff", ""], ["apply", "-f", ""], ["explain", "http://a", "--from", ""]]
)
def test_commands_refuse_an_empty_path(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(words)
    assert "an empty path" in capsys.readouterr().err
