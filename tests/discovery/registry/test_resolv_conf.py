from __future__ import annotations

from pathlib import Path

import pytest

from discovery.registry.resolv_conf import Resolver, parse, read, without

TABLE: dict[str, tuple[str, tuple[str, ...]]] = {
    "nothing": ("", ()),
    "one": ("nameserver 10.0.0.1\n", ("10.0.0.1:53",)),
    "both families, spaces and words after it": (
        "  nameserver\t10.0.0.1 # home\nnameserver fd00::1 x", ("10.0.0.1:53", "[fd00::1]:53"),
    ),
    "a link-local one keeps its zone": ("nameserver fe80::1%eth0", ("[fe80::1%eth0]:53",)),
    "comments and other words": ("#nameserver 1.1.1.1\n;nameserver 1.1.1.1\nsearch a b\noptions ndots:5", ()),
    "what is no address": ("nameserver\nnameserver home\nnameserver 10.0.0.256\nnameserver 10.0.0.2", ("10.0.0.2:53",)),
    "twice the same": ("nameserver 10.0.0.1\nnameserver 10.0.0.1", ("10.0.0.1:53",)),
    "more than libc asks": (
        "".join(f"nameserver 10.0.0.{n}\n" for n in range(5)), tuple(f"10.0.0.{n}:53" for n in range(3)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLE)
def test_parse(case: str) -> None:
    text, expected = TABLE[case]
    assert tuple(map(str, parse(text))) == expected


@pytest.mark.parametrize(
    ("own", "left"),
    [
        (Resolver("127.0.0.1", 53), ["10.0.0.1:53"]),
        (Resolver("127.0.0.1", 1053), ["127.0.0.1:53", "10.0.0.1:53"]),
        (Resolver("0.0.0.0", 53), ["10.0.0.1:53"]),
        (Resolver("10.0.0.1", 53), ["127.0.0.1:53"]),
    ],
)
def test_we_do_not_ask_ourselves(own: Resolver, left: list[str]) -> None:
    known = (Resolver("127.0.0.1"), Resolver("10.0.0.1"))
    assert list(map(str, without(known, own))) == left


def test_a_file_that_is_not_there_names_nobody(tmp_path: Path) -> None:
    assert read(tmp_path / "resolv.conf") == ()
    (tmp_path / "resolv.conf").write_text("nameserver 10.0.0.1\n")
    assert read(tmp_path / "resolv.conf") == (Resolver("10.0.0.1"),)
