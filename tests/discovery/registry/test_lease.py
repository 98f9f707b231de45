"""Leases on a clock that only these tests move."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.registry import messages, wire
from discovery.registry.content import Content, Draft, content_of
from discovery.registry.keys import EVERYTHING
from discovery.registry.lease import LATE, Datum, Leases
from discovery.registry.terms import Terms
from discovery.registry.update import Update, decide, read_update
from discovery.registry.wire import IN, A, Record, from_text, parse_message, to_wire

ZONE = to_wire(from_text("endpoints.cluster.local"))
TERM = 30.0


def name(text: str) -> bytes:
    return to_wire(from_text(f"{text}.endpoints.cluster.local"))


def data(owner: int, *numbers: int) -> list[Datum]:
    """Records of one registrant: each number is one of a shared name, and has a name of its own."""
    shared = [(name("shared"), wire.SRV, b"%d-%d" % (owner, number)) for number in numbers]
    return shared + [(name(f"h{number}-{owner}"), A, b"%d" % number) for number in numbers]


def leases(*registrants: list[Datum], few: int = 1000) -> Leases:
    made = Leases(pause=1000, few=few)
    for number, records in enumerate(registrants):
        made.renew(b"%d" % number, records, TERM, 0, b"fp%d" % number)
    return made


def test_records_are_due_when_their_term_is_over() -> None:
    made = leases(data(0, 1), data(1, 1))
    assert made.due(29.9) == []
    made.renew(b"1", data(1, 1), TERM, 29.9)
    assert set(made.due(30)) == set(data(0, 1))
    assert set(made.due(30.1)) == set(data(0, 1))
    made.expired(made.due(30.2), 30.2)
    assert (made.due(59.8), made.records, made.leases) == ([], 2, 1)
    assert set(made.due(59.9)) == set(data(1, 1))


def test_a_refresh_is_known_by_its_bytes() -> None:
    made = leases(data(0, 1, 2))
    assert made.refresh(b"fp0", TERM, 24)
    assert not made.refresh(b"other", TERM, 24)
    assert made.due(53.9) == []
    assert len(made.due(54)) == 4


def test_what_is_late_is_to_be_read_and_then_lives_on() -> None:
    made = leases(data(0, 1))
    made.due(27)
    assert not made.refresh(b"fp0", TERM, 27)
    made.renew(b"0", data(0, 1), TERM, 28, b"fp0")
    assert made.due(57.9) == []
    assert made.due(58) != []


CHANGED = {
    "one record more": data(0, 1, 2, 3),
    "one record less": data(0, 1, 2)[:-1],
    "others": data(0, 4),
}


@pytest.mark.parametrize("case", CHANGED)
def test_a_list_that_differs_is_another_lease(case: str) -> None:
    listed = CHANGED[case]
    made = leases(data(0, 1, 2))
    made.renew(b"0", listed, TERM, 10, b"new")
    assert not made.refresh(b"fp0", TERM, 11) or not set(listed) & set(data(0, 1, 2))
    assert made.refresh(b"new", TERM, 11)
    made.due(20)
    assert set(made.due(41)) == set(data(0, 1, 2)) | set(listed)
    assert made.records == len(set(data(0, 1, 2)) | set(listed))


def test_a_record_has_one_lease_whoever_lists_it_last() -> None:
    made = leases(data(0, 1), data(0, 1))
    assert (made.leases, made.records) == (1, 2)
    lease = made.lease_of(data(0, 1)[0])
    assert lease is not None
    assert lease.owner == b"1"
    assert not made.refresh(b"fp0", TERM, 1)


def test_the_same_list_of_another_owner_is_another_lease() -> None:
    made = leases(data(0, 1))
    made.renew(b"another", data(0, 1), 60, 0)
    assert made.due(30) == []


def test_a_removed_record_is_no_more_refreshed() -> None:
    made = leases(data(0, 1, 2))
    made.forget(data(0, 1)[0])
    made.forget(data(0, 1)[0])
    assert not made.refresh(b"fp0", TERM, 1)
    assert set(made.due(30)) == set(data(0, 1, 2)) - {data(0, 1)[0]}
    for datum in data(0, 1, 2):
        made.forget(datum)
    assert (made.leases, made.records, made.due(31)) == (0, 0, [])


def test_an_empty_list_is_no_lease() -> None:
    made = leases([])
    assert (made.leases, made.refresh(b"fp0", TERM, 0)) == (0, False)


def test_after_a_pause_all_live_for_a_full_term() -> None:
    made = Leases(pause=5)
    made.renew(b"0", data(0, 1), TERM, 0, b"fp0")
    made.due(0)
    made.due(5)
    assert made.due(29) == []
    assert made.due(30) == []
    assert made.refresh(b"fp0", TERM, 31)
    made.renew(b"1", data(1, 1), TERM, 31)
    made.restart(32)
    times = [now for now in range(33, 64) if made.due(now)]
    assert times == [62, 63]


def test_when_many_go_silent_nothing_expires_until_they_are_few_again() -> None:
    made = leases(*(data(number, 1, 2) for number in range(10)), few=5)
    for number in range(2, 10):
        assert made.refresh(b"fp%d" % number, TERM, 20)
    assert (len(made.due(27)), made.is_suspended) == (0, False)
    assert (len(made.due(30)), made.is_suspended) == (8, False)
    assert (made.due(47), made.is_suspended, made.silent) == ([], True, 40)
    assert made.due(100) == []
    for number in range(2, 10):
        made.renew(b"%d" % number, data(number, 1, 2), TERM, 101, b"fp%d" % number)
    assert (len(made.due(102)), made.is_suspended) == (8, False)


def test_those_that_expired_count_for_a_term_more() -> None:
    made = leases(*(data(number, 1, 2) for number in range(10)), few=5)
    for number in range(2, 10):
        made.refresh(b"fp%d" % number, TERM + number * 100, 20)
    made.expired(made.due(30), 30)
    made.renew(b"2", data(2, 1, 2), TERM, 31)
    assert (made.due(58.9), made.is_suspended) == ([], True)
    assert (made.due(60), made.is_suspended) == ([], False)
    assert len(made.due(61)) == 4


def test_a_few_may_always_go() -> None:
    made = leases(data(0, 1, 2), few=4)
    assert len(made.due(30)) == 4
    assert leases(data(0, 1, 2), few=3).due(30) == []


HELD = {
    "one of six": (6, 1, TERM, 30),
    "one of three": (3, 1, TERM, 330),
    "one of two": (2, 1, TERM, 330),
    "two of three": (3, 2, TERM, 30 + 7200),
    "the only one": (1, 1, TERM, 30 + 7200),
    "one of three, with a long term": (3, 1, 86400.0, 86400 + 7200),
    "two of three, with a short term": (3, 2, 2.0, 2 + 480),
}


@pytest.mark.parametrize("case", HELD)
def test_how_long_the_silent_are_held(case: str) -> None:
    nodes, silent, term, ends = HELD[case]
    made = Leases(pause=1e9, few=1)
    for number in range(nodes):
        made.renew(b"%d" % number, data(number, 1, 2), term, 0, b"fp%d" % number)
    step = term / 2
    for turn in range(1, int(ends / step) + 1):
        for number in range(silent, nodes):
            assert made.refresh(b"fp%d" % number, term, turn * step - step / 8)
        due = made.due(min(turn * step, ends - 0.1))
        assert due == []
        assert made.is_suspended is (ends > term and turn > 1)
    due = made.due(ends)
    assert set(due) == {datum for number in range(silent) for datum in data(number, 1, 2)}
    made.expired(due, ends)
    for number in range(silent, nodes):
        assert made.refresh(b"fp%d" % number, 4 * term, ends)
    assert (made.due(ends + term), made.is_suspended) == ([], False)


def test_leases_that_died_are_not_kept_for_their_term() -> None:
    made = Leases()
    for number in range(1000):
        made.renew(b"0", data(0, number), 86400, 0)
        made.renew(b"0", data(0, number, number + 1), 86400, 0)
        for datum in data(0, number, number + 1):
            made.forget(datum)
    assert len(made._watched) < 200


class PlainLeases:
    """When each record ends, and with which others it is listed."""

    def __init__(self) -> None:
        self.ends: dict[Datum, tuple[float, float]] = {}
        self.lists: dict[bytes, set[Datum]] = {}
        """By fingerprint: what was listed, as long as no other message moved any of it."""

    def renew(self, listed: set[Datum], term: float, now: float, fingerprint: bytes) -> None:
        self.lists = {known: others for known, others in self.lists.items() if not others & listed}
        self.lists[fingerprint] = listed
        self.ends.update((datum, (now + term * LATE, now + term)) for datum in listed)

    def forget(self, datum: Datum) -> None:
        self.ends.pop(datum, None)
        self.lists = {known: each for known, each in self.lists.items() if datum not in each}

    def refresh(self, fingerprint: bytes, term: float, now: float) -> bool:
        listed = self.lists.get(fingerprint, set())
        if not listed or any(self.ends[datum][0] <= now for datum in listed):
            return False
        self.ends.update((datum, (now + term * LATE, now + term)) for datum in listed)
        return True

    def due(self, now: float) -> set[Datum]:
        return {datum for datum, (_, end) in self.ends.items() if end <= now}


LISTS = [frozenset(data(0, *numbers)) for numbers in ((1,), (2,), (1, 2), (2, 3), (1, 2, 3))]
STEPS = st.tuples(
    st.sampled_from(["renew", "renew", "refresh", "refresh", "forget", "wait", "expire", "restart"]),
    st.sampled_from(LISTS), st.sampled_from([b"0", b"1"]), st.sampled_from([10.0, 10.0, 30.0]),
)  # fmt: skip


@given(st.lists(STEPS, max_size=40))
def test_as_plain_leases_have_it(steps: list[tuple[str, frozenset[Datum], bytes, float]]) -> None:
    ours, plain, now = Leases(pause=1e9, few=1000), PlainLeases(), 0.0
    for step, listed, owner, term in steps:
        fingerprint = owner + b"%d" % LISTS.index(listed)
        if step == "renew":
            ours.renew(owner, listed, term, now, fingerprint)
            plain.renew(set(listed), term, now, fingerprint)
        elif step == "refresh":
            assert ours.refresh(fingerprint, term, now) == plain.refresh(fingerprint, term, now)
        elif step == "forget":
            ours.forget(min(listed))
            plain.forget(min(listed))
        elif step == "wait":
            now += term / 4
        elif step == "expire":
            ours.expired(plain.due(now), now)
            for datum in plain.due(now):
                plain.forget(datum)
        else:
            terms = {datum: lease.term for datum in plain.ends if (lease := ours.lease_of(datum))}
            ours.restart(now)
            plain.ends = {datum: (now + each * LATE, now + each) for datum, each in terms.items()}
        assert set(ours.due(now)) == plain.due(now)
        assert ours.records == len(plain.ends)
        assert ours.leases == len({id(ours.lease_of(datum)) for datum in plain.ends})


HOST = Record(name("h1"), A, IN, 5, b"\x0a\0\0\1")
OTHER = Record(name("h1"), A, IN, 5, b"\x0a\0\0\2")
KEY = Record(name("h1"), 25, IN, 5, b"\0\0\3\x08key")


class World:
    """A zone and its leases, as a registry has them."""

    def __init__(self) -> None:
        self.content: Content = content_of(ZONE, 1, [])
        self.leases = Leases(pause=1000, few=1000)

    def say(self, *changes: Record, terms: Terms | None = None, now: float = 0, needs: tuple[Record, ...] = ()) -> bool:
        """Whether the zone changed."""
        update: Update = read_update(parse_message(messages.update(1, ZONE, changes, needs)), ZONE)
        draft = Draft(self.content)
        assert decide(draft, update, EVERYTHING) == wire.NOERROR
        change = draft.change()
        self.content.adopt(draft.nodes, 2)
        self.leases.settle(b"0", update, draft, change=change, terms=terms, now=now, fingerprint=b"fp")
        return bool(change.added or change.removed)

    def due(self, now: float) -> set[bytes]:
        return {datum[2] for datum in self.leases.due(now)}


def test_a_refresh_changes_nothing_in_the_zone() -> None:
    world = World()
    assert world.say(HOST, OTHER, terms=Terms(30))
    assert not world.say(HOST, OTHER, terms=Terms(30), now=20)
    assert world.leases.refresh(b"fp", 30, 24)
    assert world.due(53) == set()
    assert world.due(54) == {HOST.data, OTHER.data}


def test_without_the_option_records_stay() -> None:
    world = World()
    world.say(HOST, OTHER, terms=Terms(30))
    assert not world.say(HOST)
    assert world.due(31) == {OTHER.data}


def test_what_another_update_removed_is_added_again_by_the_refresh() -> None:
    world = World()
    world.say(HOST, OTHER, terms=Terms(30))
    world.say(messages.removed_set(HOST.name))
    assert not world.leases.refresh(b"fp", 30, 1)
    assert world.say(HOST, OTHER, terms=Terms(30), now=1)


def test_another_ttl_of_the_set_ends_no_lease() -> None:
    world = World()
    world.say(HOST, terms=Terms(30))
    world.say(OTHER._replace(ttl=9))
    assert world.due(30) == {HOST.data}


def test_what_is_added_and_removed_at_once_has_no_lease() -> None:
    world = World()
    world.say(HOST, OTHER, messages.removed(OTHER), terms=Terms(30))
    assert world.leases.records == 1
    assert not world.leases.refresh(b"fp", 30, 1)


def test_a_message_with_prerequisites_is_read_each_time() -> None:
    world = World()
    world.say(HOST, terms=Terms(30), needs=(messages.absent(HOST.name),))
    assert not world.leases.refresh(b"fp", 30, 1)


def test_keys_live_longer() -> None:
    world = World()
    world.say(HOST, KEY, terms=Terms(30, 90))
    assert world.due(30) == {HOST.data}
    assert world.due(90) == {HOST.data, KEY.data}
    world.say(HOST, KEY, terms=Terms(30), now=91)
    assert world.due(121) == {HOST.data, KEY.data}


def test_a_lease_of_all_that_names_have_takes_no_memory_for_them() -> None:
    world = World()
    assert world.say(HOST, OTHER, terms=Terms(30))
    lease = world.leases.lease_of((HOST.name, HOST.type, HOST.data))
    assert lease is not None
    assert all(node is world.content.nodes[name] for name, node in lease.names.items())
