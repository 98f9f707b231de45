"""Each rule says why a request goes there, or why not."""

from __future__ import annotations

import pytest

from mesh.matcher import matcher_of
from mesh.rules import rule
from mesh.trials import trials

RULES = (
    rule("", "", "Default", "Ingress a/default", 0),
    rule("", "/", "Prefix", "Ingress a/any", 1),
    rule("*.foo.com", "/cart", "Prefix", "Ingress a/wild", 2),
    rule("x.foo.com", "/cart", "Prefix", "Ingress a/x", 3),
    rule("x.foo.com", "/cart", "Exact", "Ingress a/x", 4),
    rule("x.foo.com", "/cart/items", "Prefix", "Ingress a/x", 5),
    rule("x.foo.com", "/cart", "Exact", "Ingress b/late", 6),
    rule("x.foo.com", "", "Default", "Ingress a/x", 7),
)


def told(host: bytes, target: bytes) -> list[str]:
    made = matcher_of(RULES)
    return [
        f"{'won' if trial.won else '-'} {trial.rule}: {trial.why}" for trial in trials(RULES, made.losses, host, target)
    ]


def test_every_way_to_lose() -> None:
    assert told(b"X.foo.com", b"/cart?id=1") == [
        "- Prefix x.foo.com/cart/items: the path is /cart, which does not begin with the elements of /cart/items",
        "won Exact x.foo.com/cart: it matches, and nothing that matches comes before it",
        "- Exact x.foo.com/cart: Exact x.foo.com/cart of Ingress a/x has its place",
        "- Prefix x.foo.com/cart: Exact x.foo.com/cart matches, and Exact comes before Prefix",
        "- Prefix *.foo.com/cart: Exact x.foo.com/cart matches, and has the more exact host",
        "- Prefix */: Exact x.foo.com/cart matches, and has the more exact host",
        "- Default x.foo.com: Exact x.foo.com/cart matches",
        "- Default *: Exact x.foo.com/cart matches",
    ]


@pytest.mark.parametrize(
    ("host", "target", "line"),
    [
        (b"x.foo.com", b"/cart/items/1", "- Prefix x.foo.com/cart: Prefix x.foo.com/cart/items matches, and is longer"),
        (b"x.foo.com", b"/cart/", "- Exact x.foo.com/cart: the path is /cart/"),
        (b"y.foo.com", b"/cart", "- Exact x.foo.com/cart: the host is y.foo.com"),
        (b"foo.com", b"/cart", "- Prefix *.foo.com/cart: the host is foo.com, which is not one label and .foo.com"),
        (b"a.y.foo.com", b"/", "- Prefix *.foo.com/cart: the host is a.y.foo.com, which is not one label and .foo.com"),
        (b"x.foo.com", b"*", "won Prefix */: it matches, and nothing that matches comes before it"),
        (b"\xff", b"/", "- Prefix x.foo.com/cart: the host is \\xff"),
    ],
)
def test_words(host: bytes, target: bytes, line: str) -> None:
    assert line in told(host, target)


def test_defaults() -> None:
    without_root = [each for each in RULES if each.to != 1]
    lines = [(trial.rule.to, trial.won, trial.why) for trial in trials(without_root, (), b"x.foo.com", b"/other")]
    assert lines[-2:] == [
        (7, True, "no path matches"),
        (0, False, "Default x.foo.com is for a more exact host"),
    ]
