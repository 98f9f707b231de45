from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mesh.http1 import recurring
from mesh.http1.grammar import KEEP_ALIVE_LENGTH, MAX_FIELDS
from mesh.http1.recurring import LESSONS, LONGEST, MOST_LINES, SHORT, RequestReader
from mesh.http1.request import Plain, read_plain_request, read_request

HOST, KEEP, AGENT = b"Host: shop.test\r\n", b"Connection: keep-alive\r\n", b"User-Agent: one\r\n"
LONG = b"?" + b"q" * SHORT


def head(*lines: bytes, target: bytes = b"/") -> bytes:
    return b"".join([b"GET " + target + LONG + b" HTTP/1.1\r\n", *lines, b"\r\n"])


def host(number: int) -> bytes:
    return b"Host: h%d.test\r\n" % number


def cookie(number: int) -> bytes:
    return b"Cookie: n=%d\r\n" % number**number


@pytest.fixture
def in_full(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What was read in full."""
    read: list[bytes] = []

    def reading(data: bytes) -> Plain | None:
        read.append(data)
        return read_plain_request(data)

    monkeypatch.setattr(recurring, "read_plain_request", reading)
    return read


SERIES = {
    "the same again": [head(HOST, AGENT)] * 3,
    "another path": [head(HOST, AGENT, target=b"/%d" % number) for number in range(3)],
    "a cookie that changes": [head(HOST, cookie(number), AGENT) for number in range(9)],
    "a cookie at the end": [head(HOST, AGENT, cookie(number)) for number in range(9)],
    "a cookie before all": [head(cookie(number), HOST, AGENT) for number in range(9)],
    "the line that is cut out is before what changes": [head(HOST, KEEP, cookie(number)) for number in range(9)],
    "the line that is cut out is behind what changes": [head(HOST, cookie(number), KEEP) for number in range(9)],
    "a value that reads like the line that is cut out": [head(HOST, b"A: " + KEEP, cookie(n)) for n in range(9)],
    "a field that has no value at first": [head(HOST, b"A:" + b"x" * number + b"\r\n", AGENT) for number in range(9)],
    "two fields that change": [head(HOST, cookie(number), AGENT, cookie(number + 1), KEEP) for number in range(9)],
    "a field that another takes the place of": [head(HOST, b"%c: a\r\n" % b"AB"[number % 2]) for number in range(9)],
    "a Host that changes": [head(b"Host: h%d.test:80\r\n" % number, AGENT, KEEP) for number in range(9)],
    "a Host and a cookie that change": [head(host(number), KEEP, cookie(number), AGENT) for number in range(9)],
    "a Host that changes, and all else": [head(host(number), *[cookie(number)] * number) for number in range(9)],
    "a Host that changes late": [head(HOST, AGENT)] + [head(HOST if n % 2 else host(n), AGENT) for n in range(9)],
    "lines that come and go": [head(HOST, *[cookie(2)] * (number % 3), AGENT) for number in range(9)],
    "no body, which is said": [head(HOST, cookie(number), b"Content-Length: 0\r\n") for number in range(9)],
}


@pytest.mark.parametrize("series", SERIES.values(), ids=SERIES)
def test_fields_that_recur_are_not_read_again(series: list[bytes], in_full: list[bytes]) -> None:
    reader = RequestReader()
    assert [reader.read(each) for each in series] == [read_plain_request(each) for each in series]
    heads = [each for each in in_full if each in series]
    assert len(heads) <= 3


def test_a_host_that_changes_takes_no_lesson_more(in_full: list[bytes]) -> None:
    reader = RequestReader()
    series = SERIES["a Host and a cookie that change"][1:]
    assert all(reader.read(each) for each in series)
    assert [each for each in in_full if each in series] == series[:2]


CHANGES = {
    "a field that concerns this hop": head(HOST, b"Connection: close\r\n", AGENT),
    "a body": head(HOST, b"Content-Length: 1\r\n", AGENT) + b"x",
    "a body in chunks": head(HOST, b"Transfer-Encoding: chunked\r\n", AGENT),
    "a second Host": head(HOST, HOST, AGENT),
    "who it is for": head(HOST, b"X-Forwarded-For: 1.2.3.4\r\n", AGENT),
    "a control character": head(HOST, b"Cookie: \x01\r\n", AGENT),
    "a bare line feed": head(HOST, b"Cookie: \n\r\n", AGENT),
    "a folded line": head(HOST, b" folded\r\n", AGENT),
    "white space before the colon": head(HOST, b"Cookie : a\r\n", AGENT),
    "the end of one request and another": head(HOST) + head(HOST, AGENT),
    "a request behind it": head(HOST, AGENT) * 2,
    "the end between": head(HOST, b"\r\n", AGENT),
    "a part": head(HOST, AGENT)[:-2],
    "another method": head(HOST, AGENT).replace(b"GET", b"HEAD"),
    "another version": head(HOST, AGENT).replace(b"1.1", b"1.0"),
    "too many lines": head(HOST, *[b"a:\r\n"] * 33, AGENT),
    "the beginning and the end in one": head(HOST),
    "another place for the Host": head(AGENT, HOST),
    "a Host that is none": head(b"Host: a:65536\r\n", AGENT),
    "a Host without a name": head(b"Host: \r\n", AGENT),
    "another space before the Host": head(b"Host:  a\r\n", AGENT),
    "no Host": head(AGENT),
}


@pytest.mark.parametrize("hosts", [1, 3])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_differs_is_read_as_strictly(change: bytes, hosts: int) -> None:
    reader = RequestReader()
    for number in range(3):
        assert reader.read(head(host(number % hosts), cookie(number), AGENT)) is not None
    assert reader.read(change) == read_plain_request(change)
    assert reader.read(head(HOST, cookie(4), AGENT)) == read_plain_request(head(HOST, cookie(4), AGENT))


def test_what_concerns_this_hop_is_no_value_that_varies() -> None:
    reader = RequestReader()
    for number in range(4):
        assert reader.read(head(HOST, b"Connection: %ceep-alive\r\n" % b"kK"[number % 2]))
    for said in (b"close", b"upgrade", b"keep-alive, x"):
        assert reader.read(head(HOST, b"Connection: " + said + b"\r\n")) is None


MORE_THAN_A_HEAD = {
    "a body that is yet to come": head(HOST, b"Content-Length: 5\r\n"),
    "a body": head(HOST, AGENT, b"Content-Length: 5\r\n") + b"12345",
    "another request": head(HOST, AGENT) + head(HOST),
    "a part of another": head(HOST, AGENT) + head(HOST)[:-2],
}


@pytest.mark.parametrize("data", MORE_THAN_A_HEAD.values(), ids=MORE_THAN_A_HEAD)
def test_what_has_more_than_a_head_is_no_lesson(data: bytes) -> None:
    reader = RequestReader()
    assert [reader.read(data) for _ in range(3)] == [read_plain_request(data)] * 3
    assert reader._lessons == LESSONS


SMUGGLED = b"A" * (KEEP_ALIVE_LENGTH - 2) + b": Transfer-Encoding: chunked\r\n"
"""Without as many bytes as are cut out of some heads it is another field."""


@pytest.mark.parametrize("order", list(itertools.permutations((HOST, KEEP, AGENT))))
def test_nothing_is_cut_out_where_there_is_nothing_to_cut(order: tuple[bytes, ...]) -> None:
    """A line that is cut out may come and go like any other."""
    reader = RequestReader()
    at = order.index(KEEP)
    for between in ((), (KEEP,), (SMUGGLED,), (), (cookie(3),), (KEEP,), (), (SMUGGLED, KEEP), (SMUGGLED,)):
        data = head(*order[:at], *between, *order[at + 1 :])
        assert reader.read(data) == read_plain_request(data)


@given(st.booleans(), st.one_of(st.binary(max_size=9), st.from_regex(rb"[?A]?(A: b\r\n)?\r?\n?", fullmatch=True)))
@example(False, b"?")
@example(False, b"?A: b\r\n")
@example(True, b"?A: b\r\n")
@example(True, b"A: b\r\n")
@example(True, b"")
def test_what_is_no_whole_head_is_like_no_other(later: bool, fields: bytes) -> None:
    reader = RequestReader()
    if later:
        assert reader.read(head(HOST)) is not None
    data = head()[:-2] + fields
    assert reader.read(data) == read_plain_request(data)


lines = st.sampled_from(
    [
        HOST,
        AGENT,
        KEEP,
        b"Connection: Keep-Alive\r\n",
        b"Host: b\r\n",
        b"Accept: */*\r\n",
        b"A:\r\n",
        b"TE: trailers\r\n",
    ]
)
varied = st.one_of(
    lines, lines, st.integers(0, 9).map(cookie), st.binary(max_size=6).map(lambda raw: b"B:%b\r\n" % raw)
)
heads = st.builds(lambda found, target: head(*found, target=target), st.lists(varied, max_size=6), st.just(b"/x"))


@given(st.lists(heads, min_size=1, max_size=4), st.lists(st.integers(0, 3), max_size=12))
def test_each_is_what_it_is_by_itself(some: list[bytes], order: list[int]) -> None:
    reader = RequestReader()
    for index in order:
        data = some[index % len(some)]
        assert reader.read(data) == read_plain_request(data)


@given(st.booleans(), st.integers(0, 80), st.integers(0, 200), st.binary(max_size=2))
def test_a_byte_changed_means_the_same(hosts: bool, before: int, at: int, other: bytes) -> None:
    reader = RequestReader()
    series = [head(host(number) if hosts else HOST, AGENT, cookie(number), KEEP) for number in range(5)]
    for each in series[:3]:
        reader.read(each)
    changed = series[3][: at % len(series[3])] + other + series[3][at % len(series[3]) + 1 :]
    for each in (changed, series[4], changed[:before]):
        assert reader.read(each) == read_plain_request(each)


def test_what_varies_too_much_or_is_long_is_read_in_full(in_full: list[bytes]) -> None:
    reader = RequestReader()
    for number in range(LESSONS):
        assert reader.read(head(b"A: %d\r\n" % number, HOST, b"A: %d\r\n" % number))
    last, learned = reader._fields, len(in_full)
    assert reader.read(head(HOST, AGENT))
    assert reader._fields == last
    assert len(in_full) == learned + 1

    reader = RequestReader()
    half = b"a:b\r\n" * (MOST_LINES // 2)
    for long in (head(b"A:" + b"x" * LONGEST + b"\r\n", HOST), head(half, HOST, half)):
        assert reader.read(long) == read_plain_request(long) is not None
        assert reader._fields is None

    for size in (1, 2, LONGEST):
        assert reader.read(head(HOST, b"A:" + b"x" * size + b"\r\n"))
    assert reader._fields == HOST + b"A:xx\r\n\r\n"


def test_more_plain_lines_than_follow_each_other_elsewhere_mean_the_same() -> None:
    reader = RequestReader()
    around = [b"a:%d\r\n" % number for number in range(30)]
    data = [head(HOST, *around[:15], *[cookie(1)] * number, *around[15:]) for number in (0, 1, 32)]
    read = [reader.read(each) for each in data]
    assert read[:2] == [read_plain_request(each) for each in data[:2]]
    assert read_plain_request(data[2]) is None
    careful = read_request(data[2])
    assert read[2] == (careful.host, careful.lines, len(data[2]), 0)


def test_a_short_one_that_comes_again_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = RequestReader()
    short = head(HOST).replace(LONG, b"")
    read = [reader.read(short) for _ in range(2)]
    monkeypatch.setattr(reader, "_start", None)
    assert [*read, reader.read(short)] == [read_plain_request(short)] * 3


def test_what_looks_like_a_host_is_none() -> None:
    reader = RequestReader()
    series = [head(HOST, b"xost: a%d\r\n" % number) for number in range(4)]
    assert [reader.read(each) for each in series] == [read_plain_request(each) for each in series]


def test_there_are_never_more_fields_than_may_be() -> None:
    assert MOST_LINES + 32 <= MAX_FIELDS
