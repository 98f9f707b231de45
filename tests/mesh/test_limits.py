"""Room at endpoints and behind a Backend, and the queue: in order, bounded, and never forgotten."""

from __future__ import annotations

from collections.abc import Collection

from hypothesis import given
from hypothesis import strategies as st

from config.balancing import BackendLimits, EndpointLimits, LimitPolicy, QueuePolicy
from discovery.endpoint import Endpoint
from mesh.balancing.round_robin import RoundRobin
from mesh.endpoint_state import EndpointState
from mesh.limits import Limits
from mesh.stats import BackendStats


class World:
    """A Backend reduced to its endpoints, its counts and its limits."""

    def __init__(self, count: int, each: int = 0, total: int = 0, queue: int = 10) -> None:
        self.stats = BackendStats()
        self.states = [EndpointState(Endpoint(f"10.0.0.{number}", 80)) for number in range(count)]
        self.balancer: RoundRobin[EndpointState] = RoundRobin()
        self.balancer.use(self.states)
        policy = LimitPolicy(EndpointLimits(requests=each), BackendLimits(requests=total), QueuePolicy(queue, 2.0))
        self.limits: Limits[EndpointState] = Limits(policy, self.stats)
        self.limits.use(self.states)

    def admit(self, tried: Collection[EndpointState] = ()) -> EndpointState | None:
        state = self.limits.admit(self.balancer.pick, tried)
        if state is not None:
            state.in_flight += 1
        return state

    def begin(self) -> Request:
        self.stats.in_flight += 1
        return Request(self)


class Request:
    """A request that has an endpoint, waits for one, or was refused."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.state: EndpointState | None = None
        self.waits = self.refused = False
        self.room_now()

    def room_now(self) -> None:
        self.waits = False
        self.state = self.world.admit()
        if self.state is None:
            self.waits = self.world.limits.wait(self)
            self.refused = not self.waits

    def end(self) -> None:
        """Done, or given up."""
        self.world.limits.leave(self)
        self.world.stats.in_flight -= 1
        state, self.state = self.state, None
        if state is not None:
            state.in_flight -= 1
            self.world.limits.left(state)


def test_endpoints_are_filled_and_not_overfilled() -> None:
    world = World(3, each=2)
    for _ in range(6):
        world.begin()
    assert [state.in_flight for state in world.states] == [2, 2, 2]
    assert world.begin().waits
    assert len(world.limits) == 1


def test_who_waits_longest_is_first() -> None:
    world = World(1, each=1)
    first, *others = [world.begin() for _ in range(4)]
    for turn, other in enumerate(others):
        assert other.waits
        (first if turn == 0 else others[turn - 1]).end()
        assert other.state is world.states[0]
    assert len(world.limits) == 0


def test_the_queue_is_bounded() -> None:
    world = World(1, each=1, queue=2)
    outcomes = [world.begin() for _ in range(5)]
    assert [request.waits for request in outcomes] == [False, True, True, False, False]
    assert [request.refused for request in outcomes] == [False, False, False, True, True]
    assert world.limits.patience == 2.0


def test_who_leaves_the_queue_is_not_told() -> None:
    world = World(1, each=1)
    running, gone, waiting = world.begin(), world.begin(), world.begin()
    gone.end()
    running.end()
    assert gone.state is None
    assert waiting.state is not None


def test_all_together() -> None:
    world = World(5, total=3)
    requests = [world.begin() for _ in range(5)]
    assert [request.state is not None for request in requests] == [True, True, True, False, False]
    requests[0].end()
    assert requests[3].state is not None
    assert requests[4].waits


def test_tcp_connections_count_too() -> None:
    world = World(2, total=1)
    world.stats.tcp_open = 1
    assert world.begin().waits


def test_a_retry_may_return_to_one_that_was_tried_and_has_room() -> None:
    world = World(2, each=1)
    busy = world.admit()
    assert busy is not None
    other = next(state for state in world.states if state is not busy)
    assert world.admit(tried=(other,)) is other
    assert world.admit(tried=(other,)) is None


def test_room_at_new_endpoints_is_found() -> None:
    world = World(1, each=1)
    world.begin()
    waiting = world.begin()
    more = [*world.states, EndpointState(Endpoint("10.0.0.9", 80))]
    world.balancer.use(more)
    world.limits.use(more)
    world.limits.room_made()
    assert waiting.state is more[1]


def test_nobody_waits_for_nobody() -> None:
    assert World(0, each=1).begin().refused
    world = World(1, each=1)
    world.begin()
    waiting = [world.begin() for _ in range(3)]
    world.balancer.use([])
    world.limits.use([])
    world.limits.room_made()
    assert all(request.refused for request in waiting)
    assert len(world.limits) == 0


def test_without_limits_nobody_waits_any_more() -> None:
    world = World(1, each=1, total=2)
    requests = [world.begin() for _ in range(5)]
    world.limits.open()
    assert all(request.state is not None for request in requests)


@given(
    st.integers(1, 4),
    st.integers(0, 3),
    st.integers(0, 6),
    st.integers(0, 5),
    st.lists(st.integers(-1, 12), max_size=60),
)
def test_any_traffic_keeps_within_the_limits_and_wastes_no_room(
    count: int, each: int, total: int, queue: int, script: list[int]
) -> None:
    world = World(count, each, total, queue)
    alive: list[Request] = []
    for step in script:
        if step < 0 or step >= len(alive):
            alive.append(world.begin())
        else:
            alive.pop(step).end()
        running = [request for request in alive if request.state]
        for refused in [request for request in alive if request.refused]:
            alive.remove(refused)
            refused.end()
        assert sum(state.in_flight for state in world.states) == len(running)
        assert all(state.in_flight <= (each or 99) for state in world.states)
        assert len(running) <= (total or 99)
        waiting = sum(request.waits for request in alive)
        assert waiting == len(world.limits) <= queue
        room = min(total or 99, count * (each or 99))
        assert not waiting or len(running) == room
