"""ClientHellos: real ones, in pieces and records of every size, and what only looks like one."""

from __future__ import annotations

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.tls.hello import LARGEST, Hello, NoHello, alert, read_hello


def hello(name: str | None = "shop.example", version: ssl.TLSVersion | None = None) -> bytes:
    """What OpenSSL sends first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if version:
        context.maximum_version = version
    outgoing = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name).do_handshake()
    return outgoing.read()


WHOLE = hello()


@pytest.mark.parametrize("name", ["a", "shop.example", "SHOP.Example", "xn--bcher-kva.example", "a_b.example", None])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_real_ones(name: str | None, version: ssl.TLSVersion) -> None:
    said = hello(name, version)
    assert read_hello(said) == Hello((name or "").lower())
    assert read_hello(said + b"more") == Hello((name or "").lower())


def test_every_beginning_waits_for_more() -> None:
    for size in range(len(WHOLE)):
        assert read_hello(WHOLE[:size]) is None


def records(message: bytes, sizes: list[int]) -> bytes:
    parts, rest = [], message
    while rest:
        size = sizes.pop(0) if sizes else 16_384
        part, rest = rest[:size], rest[size:]
        parts.append(b"\x16\x03\x01" + len(part).to_bytes(2) + part)
    return b"".join(parts)


@given(st.lists(st.integers(1, 200), max_size=20))
def test_in_many_records(sizes: list[int]) -> None:
    assert read_hello(records(WHOLE[5:], sizes)) == Hello("shop.example")


def test_a_record_for_each_byte_is_refused() -> None:
    with pytest.raises(NoHello):
        read_hello(records(WHOLE[5:], [1] * len(WHOLE)))


@given(st.binary(max_size=600))
def test_whatever_comes_is_a_hello_or_none_or_refused(said: bytes) -> None:
    for data in (said, b"\x16\x03\x01\x02\x00" + said, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc" + said):
        try:
            found = read_hello(data)
        except NoHello:
            continue
        assert found is None or isinstance(found.server_name, str)


@given(st.integers(5, len(WHOLE) - 1), st.integers(0, 255))
def test_a_byte_that_is_wrong(at: int, value: int) -> None:
    data = WHOLE[:at] + bytes((value,)) + WHOLE[at + 1 :]
    try:
        found = read_hello(data)
    except NoHello:
        return
    assert found is None or isinstance(found.server_name, str)


def extension(kind: int, content: bytes) -> bytes:
    return kind.to_bytes(2) + len(content).to_bytes(2) + content


def made(extensions: bytes) -> bytes:
    body = b"\3\3" + bytes(32) + b"\0" + b"\0\2\x13\1" + b"\1\0" + len(extensions).to_bytes(2) + extensions
    return records(b"\1" + len(body).to_bytes(3) + body, [])


def server_name(name: bytes, kind: int = 0) -> bytes:
    entry = bytes((kind,)) + len(name).to_bytes(2) + name
    return extension(0, len(entry).to_bytes(2) + entry)


def test_made_ones() -> None:
    assert read_hello(made(extension(43, b"x") + server_name(b"a.example."))) == Hello("a.example")
    assert read_hello(made(b"")) == Hello("")


REFUSED = {
    "http": b"GET / HTTP/1.1\r\n",
    "one byte": b"G",
    "another version": b"\x16\x02\x00\x01\x00",
    "an empty record": b"\x16\x03\x01\x00\x00" + WHOLE,
    "a record too long": b"\x16\x03\x01\x40\x01",
    "another message": b"\x16\x03\x01\x00\x04\x02\x00\x00\x00",
    "a message too short": b"\x16\x03\x01\x00\x04\x01\x00\x00\x05",
    "a message too long": b"\x16\x03\x01\x00\x04\x01\xff\xff\xff",
    "an alert in between": records(WHOLE[5:100], []) + b"\x15\x03\x01\x00\x02\x02\x00",
    "NUL in the name": made(server_name(b"a\0b")),
    "no name in the name": made(server_name(b"")),
    "a space in the name": made(server_name(b"a b")),
    "a name of another type": made(server_name(b"a", 1)),
    "a name beyond its extension": made(extension(0, b"\0\5\0\0\x20ab")),
    "an extension beyond the end": made(b"\0\0\0\x50abc"),
    "half an extension": made(b"\0"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    with pytest.raises(NoHello) as refused:
        read_hello(REFUSED[case])
    assert str(refused.value)


def test_there_is_a_bound() -> None:
    endless = b"\x16\x03\x01\x40\x00\x01\x00\x40\x00"
    assert read_hello(endless) is None
    with pytest.raises(NoHello, match="16 KiB"):
        read_hello(endless + bytes(LARGEST - len(endless)))


def test_alerts() -> None:
    assert alert(112) == b"\x15\x03\x01\x00\x02\x02\x70"
