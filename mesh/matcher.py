"""Which rule a request meets: hosts, then paths (networking.k8s.io/v1 Ingress), in a time that does not grow with them.

What one rule says: a host, a wildcard for exactly one label (``*.foo.com``) or any host; and a path that is to be
equal (Exact), or to begin the request's, element by element on ``/`` with a slash at its end ignored (Prefix).  Of
the rules that a request meets counts the one with the most exact host, then the longest path, then Exact before
Prefix.  Where only a slash at the end tells two Prefixes apart, the longer spelling counts; Exact ``/foo`` comes
before Prefix ``/foo/``.  What meets no rule goes to the default of its host, of its wildcard, or of all hosts.
Of rules that say the same the first has its place, and the others are known as its losers.

`Matcher.match` looks up a host and then at most as many prefixes as the path has elements within the longest rule of
that host.  A host knows what holds next, so a request that no rule of its own host takes is offered to the
wildcard's and to the rules for any host; and it knows whether any of these looks at paths at all.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from typing import Final, Generic, TypeVar

from mesh.paths import matched_path
from mesh.rules import Loss, PathKind, Rule
from mesh.steps import gather, run_to_end
from mesh.trials import Trial, trials

T = TypeVar("T")

STEP: Final = 64
"""Rules that are put in place between two breaths."""
QUERY, ESCAPE, DOT = b"?%."
"""As numbers, which are looked for in a tenth of the time: asked for bytes, ``in`` first makes an error of the type."""


class HostRules(Generic[T]):
    """The rules of one host."""

    __slots__ = ("default", "exact", "following", "longest", "outcome", "pathless", "prefixes", "root")

    def __init__(self) -> None:
        self.exact: dict[bytes, T] = {}
        self.prefixes: dict[bytes, T] = {}
        self.longest = 0
        """Bytes of the longest prefix."""
        self.root: T | None = None
        """Of the Prefix ``/``, which every path meets."""
        self.following: HostRules[T] | None = None
        """The rules that are asked next."""
        self.default: T | None = None
        """What a request of this host goes to that meets no rule, its own host's or a following one's."""
        self.pathless = False
        """No path makes a difference."""
        self.outcome: T | None = None
        """What all requests go to, if it is so."""

    def settle(self) -> None:
        """Find out whether it is `pathless`, when all that it says and what follows it is known."""
        rules: HostRules[T] | None = self
        while rules is not None and rules.root is None and not (rules.exact or rules.prefixes):
            rules = rules.following
        self.pathless = rules is None or not (rules.exact or rules.prefixes)
        self.outcome = self.default if rules is None else rules.root

    def match(self, target: bytes) -> T | None:
        """What the rule leads to that a request of this host meets; None: it meets none, and there is no default.

        `target` is a path with or without a query, or ``*``, as sent.
        """
        if QUERY in target:
            target = target.partition(b"?")[0]
        if ESCAPE in target or DOT in target:
            target = matched_path(target)
        rules = self
        while (found := rules.find(target)) is None:
            if rules.following is None:
                return self.default
            rules = rules.following
        return found

    def find(self, path: bytes) -> T | None:
        """What the rule leads to that says just this path, else the one of its longest prefix."""
        if self.exact:
            found = self.exact.get(path)
            if found is not None:
                return found
        prefixes = self.prefixes
        if prefixes:
            if len(path) > self.longest:
                path = path[: self.longest + 1].rpartition(b"/")[0]
            while path:
                found = prefixes.get(path)
                if found is not None:
                    return found
                path = path.rpartition(b"/")[0]
        return self.root


class Matcher(Generic[T]):
    """All rules of an entrance, ready to be asked; immutable.  `matcher_of` makes it."""

    __slots__ = ("_any", "_wildcards", "hosts", "losses", "rules")

    def __init__(self, rules: tuple[Rule[T], ...], building: _Building[T]) -> None:
        self.rules = rules
        """In the order in which they were given."""
        self.losses = tuple(building.losses)
        self.hosts = {host.encode(): rules for host, rules in building.hosts.items() if not host.startswith("*")}
        """By the name in lower case: a short cut to `host_rules`, which knows all others too."""
        self._wildcards = {host[2:].encode(): rules for host, rules in building.hosts.items() if host.startswith("*")}
        self._any = building.any

    def match(self, host: bytes, target: bytes) -> T | None:
        """What the rule leads to that a request meets; None: it meets none, and there is no default.

        `host` is without the port, in any case; `target` is a path with or without a query, or ``*``, as sent.
        """
        return self.host_rules(host).match(target)

    def explain(self, host: bytes, target: bytes) -> Iterator[Trial[T]]:
        """Each rule in order of authority, and why the request that `match` is asked about goes there or not."""
        return trials(self.rules, self.losses, host, target)

    def host_rules(self, host: bytes) -> HostRules[T]:
        """Where the search for a host begins: its own rules, its wildcard's, or those for any host."""
        name = host.lower().removesuffix(b".")
        own = self.hosts.get(name)
        if own is None:
            label, _, parent = name.partition(b".")
            own = self._wildcards.get(parent) if label else None
        return own or self._any


class _Building(Generic[T]):
    """Puts rules in their places, one by one."""

    def __init__(self) -> None:
        self.hosts: dict[str, HostRules[T]] = {}
        self.any: HostRules[T] = HostRules()
        self.losses: list[Loss[T]] = []
        self._holders: dict[tuple[str, PathKind, bytes], Rule[T]] = {}

    def add(self, new: Rule[T]) -> None:
        place = (new.host, new.kind, new.key)
        holder = self._holders.get(place)
        if holder is not None:
            if new.kind != "Prefix" or len(new.path) <= len(holder.path):
                self.losses.append(Loss(new, holder))
                return
            self.losses.append(Loss(holder, new))
        self._holders[place] = new
        _put(self._rules_of(new.host), new)

    def _rules_of(self, host: str) -> HostRules[T]:
        if not host:
            return self.any
        rules = self.hosts.get(host)
        if rules is None:
            rules = self.hosts[host] = HostRules()
        return rules

    def join(self, host: str) -> None:
        """Say what is asked after the rules of `host`; wildcards are joined before exact hosts."""
        rules = self.hosts[host]
        wildcard = None if host.startswith("*") else self.hosts.get("*." + host.partition(".")[2])
        rules.following = wildcard or self.any
        if rules.default is None:
            rules.default = rules.following.default
        rules.settle()


def _put(rules: HostRules[T], new: Rule[T]) -> None:
    if new.kind == "Default":
        rules.default = new.to
    elif new.kind == "Exact":
        rules.exact[new.key] = new.to
    elif new.key:
        rules.prefixes[new.key] = new.to
        rules.longest = max(rules.longest, len(new.key))
    else:
        rules.root = new.to


def matcher_of(rules: Iterable[Rule[T]]) -> Matcher[T]:
    """`matcher_steps` in one go."""
    return run_to_end(matcher_steps(rules))


def matcher_steps(rules: Iterable[Rule[T]]) -> Generator[None, None, Matcher[T]]:
    """Make a Matcher of `rules`, of which those that say the same are in order of authority."""
    given = tuple((yield from gather(rules)))
    building: _Building[T] = _Building()
    for number, each in enumerate(given):
        building.add(each)
        if not number % STEP:
            yield
    building.any.settle()
    for number, host in enumerate(sorted(building.hosts)):  # "*" sorts before every label
        building.join(host)
        if not number % STEP:
            yield
    return Matcher(given, building)
