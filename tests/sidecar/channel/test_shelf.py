"""What each connection has still to be sent."""

from __future__ import annotations

from random import Random

import msgspec

from config.meta import Named, ObjectKey
from sidecar.channel import shelf as module
from sidecar.channel.messages import LARGEST_BATCH, Manifest, Manifests
from sidecar.channel.shelf import Feed, Shelf
from tests.sidecar.channel.channels import manifest

S1 = Named("default", "s1")


class Receiver:
    """What a node has of what its feed said."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.there: dict[ObjectKey, bytes] = {}
        self.messages: list[Manifests] = []

    def take(self) -> None:
        for message in self.feed.messages():
            if message.whole and not (self.messages and self.messages[-1].more):
                self.there = {}
            self.there |= {each.key: bytes(each.body) for each in message.put}
            for key in message.gone:
                self.there.pop(key, None)
            self.messages.append(message)
        assert not self.messages[-1].more


def test_any_course_of_changes_leads_to_what_is_there() -> None:
    random = Random(3)
    shelf = Shelf(100)
    receivers = [Receiver(Feed(shelf, runs)) for runs in ((), ("default/d0",), ("default/d0", "default/d1"))]
    for _ in range(300):
        shelf.change(_some(random), [random.choice(list(shelf.stored) or [ObjectKey("Service", "x", "y")])])
        for receiver in receivers:
            if random.random() < 0.3:
                receiver.take()
    shelf.change(manifest("Deployment", name, {"spec": {"template": {"spec": {}}}}) for name in ("d0", "d1", "d2"))
    for receiver in receivers:
        receiver.take()
        fresh = Receiver(Feed(shelf, receiver.feed._runs))
        fresh.take()
        assert receiver.there == fresh.there
        assert not receiver.feed.is_due
    assert len(receivers[0].there) < len(receivers[1].there) < len(receivers[2].there) <= len(shelf.stored)


def _some(random: Random) -> list[Manifest]:
    number = random.randrange(4)
    made = (
        manifest("Service", f"s{number}"),
        manifest("Secret", f"k{number}", {"data": {"a": str(random.random())}}),
        manifest("Ingress", "i", {"spec": {"tls": [{"secretName": f"k{number}"}]}}),
        manifest("Deployment", f"d{number}", {"spec": {"template": {"spec": {"containers": []}}}}),
    )
    return random.sample(made, random.randrange(3))


def test_messages_are_bounded() -> None:
    shelf = Shelf(1)
    text = "x" * (LARGEST_BATCH // 3)
    shelf.change(manifest("ConfigMap", f"c{number}", {"data": {"a": text}}) for number in range(20))
    receiver = Receiver(Feed(shelf))
    receiver.take()
    sizes = [len(msgspec.json.encode(message)) for message in receiver.messages]
    assert len(receiver.there) == 20
    assert len(sizes) > 5
    assert max(sizes) < LARGEST_BATCH + 10_000


def test_who_is_too_far_behind_gets_everything() -> None:
    shelf = Shelf(1)
    receiver = Receiver(Feed(shelf))
    receiver.take()
    for number in range(module.MOST_CHANGES + 1):
        shelf.change([manifest("Service", f"s{number % 7}")])
    receiver.take()
    assert receiver.messages[-1].whole
    assert len(receiver.there) == 7


def test_node_configuration_never_travels() -> None:
    shelf = Shelf(1)
    shelf.change([manifest("NodeConfig", "n", namespace="")])
    receiver = Receiver(Feed(shelf))
    receiver.take()
    assert receiver.there == {}


def test_who_uses_some_services_is_sent_these_and_what_comes_into_use() -> None:
    shelf = Shelf(1)
    shelf.change(manifest("Service", f"s{number}") for number in range(50))
    receiver = Receiver(Feed(shelf, partial=True))
    assert not receiver.feed.is_due, "it has not said what it uses"
    receiver.feed.use(1, [S1, Named("default", "later")])
    receiver.take()
    assert (names(receiver), receiver.messages[-1].uses, receiver.messages[-1].whole) == (["s1"], 1, True)
    receiver.feed.use(2, [S1, Named("default", "s2"), Named("default", "later")])
    assert receiver.feed.is_due
    receiver.take()
    assert (names(receiver), receiver.messages[-1].uses, receiver.messages[-1].whole) == (["s1", "s2"], 2, False)
    shelf.change([manifest("Service", f"s{number}") for number in range(50, 500)], [manifest("Service", "s2").key])
    receiver.take()
    assert (names(receiver), len(receiver.messages[-1].put)) == (["s1"], 0)
    shelf.change([manifest("Service", "later"), manifest("Ingress", "i")])
    receiver.take()
    assert names(receiver) == ["later", "s1"]
    receiver.feed.use(3, [S1])
    receiver.take()
    assert names(receiver) == ["s1"]
    assert not receiver.feed.is_due


def names(receiver: Receiver) -> list[str]:
    return sorted(key.name for key in receiver.there)
