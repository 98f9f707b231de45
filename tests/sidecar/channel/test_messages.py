"""What is said over the channel: there and back, and what is refused."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from config.meta import ObjectKey
from mesh.stats import BackendFrame
from sidecar.channel.messages import (
    MOST_BACKENDS,
    Await,
    Awaited,
    AwaitIdle,
    Garbage,
    Hello,
    InForce,
    Manifest,
    Manifests,
    Message,
    Stats,
    Welcome,
    decode_downward,
    decode_upward,
    encoded,
)

UP: dict[str, Message] = {
    "hello": Hello(1, "0.1", "node", ("default/web",)),
    "nothing in force": InForce(),
    "in force": InForce(2**32 - 1, 12),
    "stats": Stats([BackendFrame("default", "web", "http", codes={200: 3})], whole=True),
    "busy": InForce(1, 1, ("web-1",)),
    "question": Await(1, 2.5),
    "question about a replica": AwaitIdle(1, 2.5, "web-1"),
    "question about a serial": Await(1, 2.5, 9),
}
DOWN: dict[str, Message] = {
    "welcome": Welcome(1, "0.1"),
    "manifests": Manifests(
        3, [Manifest("Service", "default", "web", "a:1:1", msgspec.Raw(b'{"a":1}'))], [ObjectKey("Secret", "x", "y")]
    ),
    "nothing": Manifests(3, whole=True),
    "answer": Awaited(1, 9, ("a", "b")),
}


@pytest.mark.parametrize("message", UP.values(), ids=UP)
def test_what_a_node_says_arrives(message: Message) -> None:
    assert decode_upward(encoded(message)) == message


@pytest.mark.parametrize("message", DOWN.values(), ids=DOWN)
def test_what_the_registry_says_arrives(message: Message) -> None:
    got = decode_downward(encoded(message))
    if isinstance(got, Manifests) and isinstance(message, Manifests):
        assert [(m.key, m.source, bytes(m.body)) for m in got.put] == [
            (m.key, m.source, bytes(m.body)) for m in message.put
        ]
        got, message = (msgspec.structs.replace(each, put=[]) for each in (got, message))
    assert got == message


REFUSED: dict[str, str] = {
    "no JSON": "hello",
    "nothing": "",
    "no object": "[1, 2]",
    "without a tag": '{"version": 1}',
    "another tag": '{"is": "goodbye"}',
    "a message for nodes": encoded(Welcome(1, "0.1")),
    "a field of another type": '{"is": "in-force", "serial": "1"}',
    "a serial that is none": '{"is": "in-force", "serial": 4294967296}',
    "a serial below zero": '{"is": "in-force", "serial": -1}',
    "a question without end": '{"is": "await", "id": 1, "seconds": 1e9}',
    "a long word": json.dumps({"is": "hello", "version": 1, "weft": "w" * 65}),
    "too many backends": json.dumps({"is": "stats", "backends": [{}] * (MOST_BACKENDS + 1)}),
    "deeply nested": '{"is":"stats","backends":' + "[" * 20_000,
    "half a surrogate": '{"is": "hello", "weft": "\\ud800", "version": 1}',
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_what_is_no_message_is_refused(text: str) -> None:
    with pytest.raises(Garbage):
        decode_upward(text)


@given(some.text())
def test_no_text_does_harm(text: str) -> None:
    for decode in (decode_upward, decode_downward):
        with pytest.raises(Garbage):
            decode(text)
