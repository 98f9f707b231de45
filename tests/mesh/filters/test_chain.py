"""All filters of a route in order."""

from __future__ import annotations

from config.filters import AccessPolicy, FaultAbort, FaultDelay, FaultPolicy, HeaderEdits, RewritePolicy
from mesh.filters.access import Access
from mesh.filters.chain import Filters, Mirror, Passed
from mesh.filters.edits import Edits
from mesh.filters.fault import Fault
from mesh.filters.query import Query, Reply
from mesh.filters.rewrite import Rewrite
from mesh.filters.size import Size
from mesh.filters.split import Split
from tests.mesh.filters.asking import query
from tests.mesh.making import backend


def test_nothing_said_is_nothing_done() -> None:
    filters = Filters(lambda: 0.0)
    assert filters.request(query()) == Passed(query().lines, None, 0.0, None)
    assert filters.response(query(), b"HTTP/1.1 200 OK\r\n") == b"HTTP/1.1 200 OK\r\n"
    assert filters.admits("192.0.2.1")
    assert filters.backend() is None


def test_the_first_refusal_counts() -> None:
    access = Access(AccessPolicy(deny=("192.0.2.1",)))
    filters = Filters(
        lambda: 0.0, access=access, checks=(access, Size(1)), fault=Fault(FaultPolicy(abort=FaultAbort()))
    )

    def status(asked: Query) -> int:
        reply = filters.request(asked)
        assert isinstance(reply, Reply)
        return reply.reason.status

    assert status(query(length=2)) == 403
    assert status(query(length=2, client="192.0.2.2")) == 413
    assert status(query(length=1, client="192.0.2.2")) == 503
    assert not filters.admits("192.0.2.1")


def test_what_passes_is_rewritten_then_edited_and_may_go_elsewhere() -> None:
    canary, mirror = backend(), backend()
    filters = Filters(
        lambda: 0.25,
        fault=Fault(FaultPolicy(delay=FaultDelay(0.1))),
        edits=(Rewrite(RewritePolicy(path="/b")), Edits(HeaderEdits(set={"A": "b"}))),
        split=Split([(canary, 1)]),
        mirror=Mirror(mirror, 0.3),
    )
    passed = Passed(b"GET /b HTTP/1.1\r\nHost: shop.example\r\nA: b\r\n", canary, 0.1, mirror)
    assert filters.request(query("/a")) == passed
    assert filters.backend() is canary


def test_a_share_is_mirrored() -> None:
    filters = Filters(lambda: 0.3, mirror=Mirror(backend(), 0.3))
    passed = filters.request(query())
    assert isinstance(passed, Passed)
    assert passed.mirror is None


def test_responses_are_edited_in_order() -> None:
    filters = Filters(lambda: 0.0, responses=(lambda q, lines: lines + q.target, lambda _, lines: lines + b"!"))
    assert filters.response(query("/a"), b"") == b"/a!"
