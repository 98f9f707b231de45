"""Names: what fits, what does not, and what is proposed instead."""

from __future__ import annotations

import pytest
from hypothesis import given

from config.naming import (
    DATA_KEY,
    DNS_LABEL,
    DNS_SUBDOMAIN,
    LABEL_VALUE,
    PORT_NAME,
    PORTABLE_VARIABLE,
    SERVICE_NAME,
    TOKEN,
    VARIABLE,
    WILDCARD_HOST,
    Rule,
    label_key,
    shown,
)
from tests.texts import texts

FITTING = [
    (DNS_LABEL, ("a", "0", "web-1", "a" * 63)),
    (DNS_SUBDOMAIN, ("a", "a.b", "1.2.3", "web-1.example.com", ".".join(["a" * 62] * 4))),
    (SERVICE_NAME, ("a", "web-1", "w" * 63)),
    (PORT_NAME, ("http", "a", "80a", "h-2", "a" * 15)),
    (LABEL_VALUE, ("", "a", "A_b.c-1", "x" * 63)),
    (DATA_KEY, ("tls.crt", ".dockercfg", "_a-b", "..a"[1:])),
    (VARIABLE, ("PATH", "a b", "ä"[:0] + "-x", "1")),
    (PORTABLE_VARIABLE, ("PATH", "_x", "a.b-c")),
    (TOKEN, ("X-Probe", "a!#$%&'*+.^_`|~")),
    (WILDCARD_HOST, ("*.a", "*.example.com")),
]
WRONG = [
    (DNS_LABEL, ("", "A", "-a", "a-", "a.b", "a_b", "a" * 64, "a\n")),
    (DNS_SUBDOMAIN, ("", ".", "a.", ".a", "a..b", "A.b", "a" * 254)),
    (SERVICE_NAME, ("", "1a", "A", "a-")),
    (PORT_NAME, ("", "80", "a--b", "-a", "a-", "HTTP", "a" * 16, "a_b")),
    (LABEL_VALUE, ("-a", "a-", "a b", "x" * 64, "a\n")),
    (DATA_KEY, ("", ".", "..", "..a", "a/b", "a b")),
    (VARIABLE, ("", "a=b", "a\n", "a\0")),
    (PORTABLE_VARIABLE, ("", "1a", "a b", ".", "..")),
    (TOKEN, ("", "a b", "a:", "a\r\n")),
    (WILDCARD_HOST, ("*", "*.", "*a.b", "a.*.b", "*.*.b", "*.A")),
]


def named(rows: list[tuple[Rule, tuple[str, ...]]]) -> list[object]:
    return [pytest.param(rule, text, id=f"{rule.noun}-{text[:20]!r}") for rule, texts in rows for text in texts]


@pytest.mark.parametrize(("rule", "text"), named(FITTING))
def test_fits(rule: Rule, text: str) -> None:
    assert rule.problem(text) is None


@pytest.mark.parametrize(("rule", "text"), named(WRONG))
def test_does_not_fit(rule: Rule, text: str) -> None:
    problem = rule.problem(text)
    assert problem
    assert rule.noun in problem


@pytest.mark.parametrize(
    ("rule", "text", "better"),
    [
        (DNS_LABEL, "Payment_Svc", '"payment-svc"'),
        (DNS_SUBDOMAIN, "My App.Example", '"my-app.example"'),
        (SERVICE_NAME, "Web_", '"web"'),
        (PORT_NAME, "HTTP_alt", '"http-alt"'),
    ],
)
def test_proposes_a_name_that_fits(rule: Rule, text: str, better: str) -> None:
    assert (rule.problem(text) or "").endswith(f"; try {better}")


@given(texts(80))
def test_every_proposal_fits(text: str) -> None:
    for rule, _ in FITTING:
        problem = rule.problem(text) or ""
        if "; try " in problem:
            better = problem.rpartition('; try "')[2].removesuffix('"')
            assert rule.problem(better) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("app", None),
        ("app.kubernetes.io/name", None),
        ("A_b", None),
        ("", "has no name"),
        ("a/", "has no name after '/'"),
        ("A.B/name", "before '/'"),
        ("a/b/c", "before '/'"),
        ("-a", "label key"),
        ("a" * 64, "at most 63"),
    ],
)
def test_label_keys(text: str, words: str | None) -> None:
    problem = label_key(text)
    assert problem is None if words is None else problem is not None and words in problem


def test_shown_is_one_short_line() -> None:
    assert shown('a"b\n\x1b[1m') == '"a\\"b\\n\\u001b[1m"'
    assert len(shown("x" * 1000)) < 90
