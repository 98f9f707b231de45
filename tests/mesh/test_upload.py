"""What is kept of a request's body."""

from __future__ import annotations

from mesh.http1.body import CHUNKED
from mesh.upload import KEPT, Upload, Whole


def test_small_bodies_are_kept() -> None:
    upload = Upload(6)
    upload.take(b"abc")
    upload.sent()
    assert not upload.complete
    upload.take(b"defNEXT")
    upload.sent()
    assert (upload.kept, upload.complete, upload.rest) == ([b"abc", b"def"], True, b"NEXT")


def test_large_bodies_are_let_go_once_sent() -> None:
    upload = Upload(2 * KEPT)
    upload.take(b"x" * (KEPT + 1))
    assert upload.full
    assert upload.kept
    upload.sent()
    assert upload.kept is None
    upload.take(b"x")
    assert upload.kept is None


def test_chunked() -> None:
    upload = Upload(CHUNKED)
    upload.take(b"1\r\nx\r\n0\r\n\r\n")
    assert upload.complete


def test_a_body_that_came_with_its_head_stays() -> None:
    whole = Whole(b"abc")
    whole.sent()
    assert (whole.kept, whole.complete, whole.full, whole.rest) == ([b"abc"], True, False, b"")
