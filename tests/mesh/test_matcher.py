"""Which rule a request meets: the rows of Kubernetes' table, precedence, ties, and the same by a naive way."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.matcher import STEP, Matcher, matcher_of, matcher_steps
from mesh.paths import matched_path, rule_path
from mesh.rules import PathKind, Rule, rule


def rules_of(*written: str) -> list[Rule[str]]:
    """Rules as ``Exact foo.com/path``, ``Prefix /path`` (any host) or ``Default foo.com``; each leads to its words."""
    made = []
    for number, words in enumerate(written):
        kind, _, place = words.partition(" ")
        host, slash, path = place.partition("/")
        made.append(rule(host, slash + path, kind, f"owner {number}", words))  # type: ignore[arg-type]
    return made


def entrance(*written: str) -> Matcher[str]:
    return matcher_of(rules_of(*written))


@pytest.mark.parametrize(
    ("kind", "path", "request_path", "matches"),
    [
        ("Prefix", "/", "/", True),
        ("Prefix", "/", "/any/thing", True),
        ("Exact", "/foo", "/foo", True),
        ("Exact", "/foo", "/bar", False),
        ("Exact", "/foo", "/foo/", False),
        ("Exact", "/foo/", "/foo", False),
        ("Exact", "/foo", "/FOO", False),
        ("Prefix", "/foo", "/foo", True),
        ("Prefix", "/foo", "/foo/", True),
        ("Prefix", "/foo/", "/foo", True),
        ("Prefix", "/foo/", "/foo/", True),
        ("Prefix", "/aaa/bb", "/aaa/bbb", False),
        ("Prefix", "/aaa/bbb", "/aaa/bbb", True),
        ("Prefix", "/aaa/bbb", "/aaa/bbb/", True),
        ("Prefix", "/aaa/bbb", "/aaa/bbb/ccc", True),
        ("Prefix", "/aaa/bbb", "/aaa/bbbxyz", False),
        ("Prefix", "/aaa/bbb/", "/aaa/bbb", True),
    ],
)
def test_kubernetes_table_of_paths(kind: PathKind, path: str, request_path: str, matches: bool) -> None:
    """https://kubernetes.io/docs/concepts/services-networking/ingress/#examples, row by row."""
    found = entrance(f"{kind} {path}", "Default ").match(b"foo.com", request_path.encode())
    assert found == (f"{kind} {path}" if matches else "Default ")


@pytest.mark.parametrize(
    ("written", "request_path", "expected"),
    [
        (("/", "/aaa", "/aaa/bbb"), "/aaa/bbb", "/aaa/bbb"),
        (("/", "/aaa", "/aaa/bbb"), "/aaa/ccc", "/aaa"),
        (("/", "/aaa", "/aaa/bbb"), "/ccc", "/"),
        (("/aaa",), "/ccc", "default"),
    ],
)
def test_kubernetes_table_of_prefix_sets(written: tuple[str, ...], request_path: str, expected: str) -> None:
    for order in permutations(written):
        found = entrance(*(f"Prefix {path}" for path in order), "Default ").match(b"foo.com", request_path.encode())
        assert found == ("Default " if expected == "default" else f"Prefix {expected}")


@pytest.mark.parametrize(
    ("host", "request_host", "matches"),
    [
        ("foo.com", "foo.com", True),
        ("foo.com", "FOO.com", True),
        ("foo.com", "foo.com.", True),
        ("foo.com", "bar.foo.com", False),
        ("foo.com", "foo.co", False),
        ("*.foo.com", "bar.foo.com", True),
        ("*.foo.com", "Bar.Foo.Com", True),
        ("*.foo.com", "bar.foo.com.", True),
        ("*.foo.com", "baz.bar.foo.com", False),
        ("*.foo.com", "foo.com", False),
        ("*.foo.com", ".foo.com", False),
        ("*.foo.com", "*.foo.com", True),
        ("*.foo.com", "barfoo.com", False),
        ("*.localhost", "shop.localhost", True),
        ("", "anything", True),
        ("", "10.0.0.1", True),
        ("", "[::1]", True),
        ("", "", True),
    ],
)
def test_hosts(host: str, request_host: str, matches: bool) -> None:
    """The rows of Kubernetes' table of wildcard hosts, and spellings."""
    assert (entrance(f"Prefix {host}/").match(request_host.encode(), b"/") is not None) == matches


@pytest.mark.parametrize(
    ("written", "request_to", "expected"),
    [
        pytest.param(("Prefix /foo", "Exact /foo"), "foo.com/foo", "Exact /foo", id="Exact before Prefix"),
        pytest.param(("Prefix /foo/", "Exact /foo"), "foo.com/foo", "Exact /foo", id="a slash makes no prefix longer"),
        pytest.param(("Prefix /foo/", "Exact /foo"), "foo.com/foo/", "Prefix /foo/", id="Exact minds the slash"),
        pytest.param(("Prefix /foo", "Prefix /foo/"), "foo.com/foo", "Prefix /foo/", id="the longer spelling"),
        pytest.param(("Prefix /foo/", "Prefix /foo"), "foo.com/foo/", "Prefix /foo/", id="whichever comes first"),
        pytest.param(("Prefix /foo/bar", "Exact /foo"), "foo.com/foo/bar", "Prefix /foo/bar", id="longest path first"),
        pytest.param(
            ("Prefix /a/b", "Prefix foo.com/"), "foo.com/a/b", "Prefix foo.com/", id="host before length of path"
        ),
        pytest.param(
            ("Exact *.foo.com/a", "Prefix x.foo.com/"), "x.foo.com/a", "Prefix x.foo.com/", id="exact host first"
        ),
        pytest.param(
            ("Exact /a", "Prefix *.foo.com/"), "x.foo.com/a", "Prefix *.foo.com/", id="wildcard before any host"
        ),
        pytest.param(
            ("Prefix x.foo.com/a", "Prefix *.foo.com/b"),
            "x.foo.com/b",
            "Prefix *.foo.com/b",
            id="what its host leaves goes to the wildcard",
        ),
        pytest.param(
            ("Prefix x.foo.com/a", "Prefix *.foo.com/b", "Prefix /c"),
            "x.foo.com/c",
            "Prefix /c",
            id="and then to any host",
        ),
        pytest.param(("Default foo.com", "Prefix /"), "foo.com/a", "Prefix /", id="every rule before a default"),
        pytest.param(
            ("Prefix foo.com/a", "Default foo.com", "Default "), "foo.com/b", "Default foo.com", id="the host's default"
        ),
        pytest.param(
            ("Prefix x.foo.com/a", "Default *.foo.com", "Default "),
            "x.foo.com/b",
            "Default *.foo.com",
            id="the wildcard's default",
        ),
        pytest.param(("Default foo.com", "Default "), "bar.com/", "Default ", id="the default of all"),
        pytest.param(("Default foo.com",), "bar.com/", None, id="none at all"),
        pytest.param(("Prefix /a",), "foo.com/a?x=/b", "Prefix /a", id="the query is no part of the path"),
        pytest.param(("Exact /a",), "foo.com/a?", "Exact /a", id="nor is an empty one"),
        pytest.param(("Prefix /admin",), "foo.com/public/../admin", "Prefix /admin", id="dot segments"),
        pytest.param(("Prefix /admin",), "foo.com/public/%2e%2E/admin", "Prefix /admin", id="escaped dot segments"),
        pytest.param(("Prefix /public",), "foo.com/public/../admin", None, id="what they lead out of"),
        pytest.param(("Exact /admin",), "foo.com/%61dmin", "Exact /admin", id="escapes of unreserved characters"),
        pytest.param(("Prefix /a",), "foo.com//a", None, id="an empty element is an element"),
        pytest.param(("Prefix /a/b",), "foo.com/a//b", None, id="in the midst too"),
        pytest.param(("Prefix /a",), "foo.com/a%2Fb", None, id="an escaped slash is none"),
        pytest.param(("Exact /a%2fb",), "foo.com/a%2Fb", "Exact /a%2fb", id="but can be matched"),
        pytest.param(("Exact /my docs",), "foo.com/my%20docs", "Exact /my docs", id="a rule with a space"),
        pytest.param(("Exact /a?b",), "foo.com/a?b", None, id="a rule with a question mark is no query"),
        pytest.param(("Prefix /", "Exact /"), "foo.com*", "Prefix /", id="the asterisk of OPTIONS"),
        pytest.param(("Exact /",), "foo.com*", None, id="which is no path"),
    ],
)
def test_precedence(written: tuple[str, ...], request_to: str, expected: str | None) -> None:
    at = min(found for found in (request_to.find("/"), request_to.find("*")) if found >= 0)
    asked = request_to[:at].encode(), request_to[at:].encode()
    made = entrance(*written)
    assert made.match(*asked) == expected
    assert [trial.rule.to for trial in made.explain(*asked) if trial.won] == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("written", "losses"),
    [
        pytest.param(("Exact /a", "Exact /a"), [(1, 0)], id="the first has its place"),
        pytest.param(("Exact /a", "Exact /a", "Exact /a"), [(1, 0), (2, 0)], id="three"),
        pytest.param(("Prefix /a", "Prefix /a/"), [(0, 1)], id="the longer spelling takes it"),
        pytest.param(("Prefix /a/", "Prefix /a", "Prefix /a/"), [(1, 0), (2, 0)], id="the first of the longer ones"),
        pytest.param(("Exact /a", "Prefix /a", "Exact /a/", "Exact foo.com/a"), [], id="four different rules"),
        pytest.param(("Exact Foo.com/a", "Exact foo.com/%61"), [(1, 0)], id="one rule in two spellings"),
        pytest.param(("Default ", "Default foo.com", "Default "), [(2, 0)], id="defaults"),
    ],
)
def test_ties(written: tuple[str, ...], losses: list[tuple[int, int]]) -> None:
    rules = rules_of(*written)
    made = matcher_of(rules)
    assert [(rules.index(loss.loser), rules.index(loss.winner)) for loss in made.losses] == losses
    losers = {loser for loser, _ in losses}
    reached = {
        made.match(
            b"foo.com" if each.host else b"x", (each.path + "/below" * (each.kind == "Prefix") or "/none").encode()
        )
        for each in rules
    }
    assert reached == {each.to for number, each in enumerate(rules) if number not in losers}


@pytest.mark.parametrize(
    ("written", "host", "outcome"),
    [
        pytest.param((), "foo.com", None, id="no rules"),
        pytest.param(("Default ",), "foo.com", "Default ", id="a default for all"),
        pytest.param(("Prefix foo.com/",), "foo.com", "Prefix foo.com/", id="all of a host"),
        pytest.param(("Prefix foo.com/", "Exact /a"), "foo.com", "Prefix foo.com/", id="the host's own come first"),
        pytest.param(("Default foo.com", "Prefix *.com/"), "foo.com", "Prefix *.com/", id="a rule before a default"),
        pytest.param(("Default foo.com", "Default "), "foo.com", "Default foo.com", id="its own default"),
    ],
)
def test_a_host_knows_that_no_path_makes_a_difference(written: tuple[str, ...], host: str, outcome: str | None) -> None:
    paths = entrance(*written).host_rules(host.encode())
    assert (paths.pathless, paths.outcome) == (True, outcome)


@pytest.mark.parametrize("written", [("Prefix foo.com/a",), ("Exact foo.com/",), ("Default foo.com", "Prefix /a")])
def test_a_host_knows_that_paths_count(written: tuple[str, ...]) -> None:
    assert not entrance(*written).host_rules(b"foo.com").pathless


def test_no_rules() -> None:
    assert (entrance().match(b"foo.com", b"/"), list(entrance().explain(b"foo.com", b"/"))) == (None, [])


# -- the same by a naive way

NAMES = st.sampled_from(["", "foo.com", "*.foo.com", "x.foo.com", "*.x.foo.com", "y.x.foo.com", "com", "*.com"])
PATHS = st.lists(st.sampled_from(["a", "b", "ab", "", ".", "..", "%61", "%2F"]), max_size=4).map(
    lambda elements: "/" + "/".join(elements)
)
RULES = st.one_of(
    st.tuples(st.sampled_from(["Exact", "Prefix"]), NAMES, PATHS), st.tuples(st.just("Default"), NAMES, st.just(""))
)


def elements(path: bytes) -> list[bytes]:
    """Of a prefix or path, a slash at the end ignored."""
    return path.removesuffix(b"/").split(b"/")


def naive_rank(number: int, each: Rule[int], host: str, path: bytes) -> tuple[int, ...] | None:
    """How much the rule counts for a request, the more the greater; None: the request does not meet it."""
    if each.host and each.host != host and each.host != "*." + ".".join(host.split(".")[1:]):
        return None
    exactness = 0 if not each.host else 1 if each.host[0] == "*" else 2
    if each.kind == "Default":
        return (0, exactness, -number)
    written = rule_path(each.path)
    if each.kind == "Exact":
        return (1, exactness, len(written), 1, 0, -number) if written == path else None
    wanted = elements(written)
    if elements(path + b"/")[: len(wanted)] != wanted:
        return None
    return (1, exactness, len(written.removesuffix(b"/")), 0, len(each.path), -number)


@given(
    st.lists(RULES, max_size=12),
    st.lists(st.tuples(NAMES.map(lambda name: name.replace("*", "w")), PATHS), min_size=1, max_size=8),
)
def test_it_finds_what_a_search_through_all_rules_finds(
    written: list[tuple[PathKind, str, str]], requests: list[tuple[str, str]]
) -> None:
    rules = [rule(host, path, kind, "x", number) for number, (kind, host, path) in enumerate(written, 1)]
    made = matcher_of(rules)
    for host, target in requests:
        path = matched_path(target.encode())
        ranks = {each.to: naive_rank(each.to, each, host, path) for each in rules}
        met = {number: rank for number, rank in ranks.items() if rank is not None}
        expected = max(met, key=met.__getitem__) if met else None
        asked = host.encode(), target.encode()
        assert made.match(*asked) == expected
        paths = made.host_rules(asked[0])
        assert not paths.pathless or paths.outcome == expected
        tried = list(made.explain(*asked))
        assert [trial.rule.to for trial in tried if trial.won] == ([expected] if met else [])
        assert sorted(trial.rule.to for trial in tried) == [each.to for each in rules]


# -- cost


class Counted(bytes):
    """A path that counts how often a part of it is taken: what a search through prefixes costs."""

    taken = 0

    def __getitem__(self, part: object) -> bytes:  # type: ignore[override]
        type(self).taken += 1
        return super().__getitem__(part)  # type: ignore[index,no-any-return]


@pytest.mark.parametrize("path", [b"/p1/x1/y", b"/p1/x1", b"/none/at/all", b"/", b"/" * 5000, b"/p1" + b"/x" * 5000])
def test_cost_grows_neither_with_hosts_nor_with_rules_nor_with_the_request(path: bytes) -> None:
    costs = []
    for hosts, paths in ((1, 1), (1, 1000), (500, 10)):
        made = entrance(
            *(f"Prefix h{host}.com/p{each % 10}/x{each:03d}" for host in range(hosts) for each in range(paths))
        )
        Counted.taken = 0
        made.match(b"h0.com", Counted(path))
        costs.append(Counted.taken)
    assert costs[0] == costs[1] == costs[2] <= len("/p1/x000")


def test_making_it_stops_for_breath() -> None:
    rules = rules_of(*(f"Prefix h{number % 500}.com/p{number}" for number in range(5000)))
    assert sum(1 for _ in matcher_steps(rules)) > 5000 / STEP
