"""What a metric of type External asks Prometheus, and how that is reached."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from config.meta import Named, ObjectMeta
from config.promql import Access, parse_url, query_of, read_access
from config.resources.autoscaling import MetricIdentifier
from config.resources.core import Secret
from config.settings import PrometheusSettings

QUERIES: dict[str, tuple[dict[str, Any], dict[str, str], str]] = {
    "name": ({"name": "jobs"}, {}, 'sum(jobs{namespace="shop"})'),
    "labels": (
        {"name": "jobs", "selector": {"matchLabels": {"queue": 'a"b\\c'}}}, {},
        'sum(jobs{namespace="shop",queue="a\\"b\\\\c"})',
    ),
    "in": (
        {"name": "jobs", "selector": {"matchExpressions": [{"key": "q", "operator": "In", "values": ["a.b", "c"]}]}},
        {}, 'sum(jobs{namespace="shop",q=~"a\\\\.b|c"})',
    ),
    "not in": (
        {"name": "jobs", "selector": {"matchExpressions": [{"key": "q", "operator": "NotIn", "values": ["a"]}]}},
        {}, 'sum(jobs{namespace="shop",q!~"a"})',
    ),
    "exists": (
        {"name": "jobs", "selector": {"matchExpressions": [{"key": "q", "operator": "Exists"}]}},
        {}, 'sum(jobs{namespace="shop",q!=""})',
    ),
    "exists not": (
        {"name": "jobs", "selector": {"matchExpressions": [{"key": "q", "operator": "DoesNotExist"}]}},
        {}, 'sum(jobs{namespace="shop",q=""})',
    ),
    "no name of a series": ({"name": "my-jobs"}, {}, 'sum({__name__="my-jobs",namespace="shop"})'),
    "annotation": ({"name": "jobs"}, {"weft.dev/query.jobs": " max(x) "}, "max(x)"),
    "of another metric": ({"name": "jobs"}, {"weft.dev/query.job": "x"}, 'sum(jobs{namespace="shop"})'),
    "empty": ({"name": "jobs"}, {"weft.dev/query.jobs": " "}, 'sum(jobs{namespace="shop"})'),
}  # fmt: skip


@pytest.mark.parametrize("case", QUERIES)
def test_what_is_asked(case: str) -> None:
    metric, annotations, query = QUERIES[case]
    assert query_of(msgspec.convert(metric, MetricIdentifier), "shop", annotations) == query


def test_labels_that_prometheus_has_not() -> None:
    metric = msgspec.convert({"name": "x", "selector": {"matchLabels": {"a.b/c": "d"}}}, MetricIdentifier)
    with pytest.raises(ValueError, match=r"is no label of Prometheus: write the query as weft\.dev/query\.NAME"):
        query_of(metric, "shop", {})
    assert query_of(metric, "shop", {"weft.dev/query.x": "y"}) == "y"


@pytest.mark.parametrize("text", ["http://p:9090", "https://p/prefix/", "http://[::1]:9090"])
def test_urls(text: str) -> None:
    assert parse_url(text) == text.rstrip("/")


@pytest.mark.parametrize(
    "text", ["p:9090", "ftp://p", "http://", "http://p:x", "http://p?q", "http://u:p@h", "http://p:99999"]
)
def test_no_urls(text: str) -> None:
    with pytest.raises(ValueError, match="is no URL of a Prometheus"):
        parse_url(text)


SECRETS: dict[str, tuple[dict[str, str], Access]] = {
    "token": ({"token": "abc\n"}, Access("http://p", "Bearer abc")),
    "password": ({"username": "u", "password": "p"}, Access("http://p", "Basic dTpw")),
    "authorities": ({"ca.crt": "x"}, Access("http://p", "", b"x")),
}


@pytest.mark.parametrize("case", SECRETS)
def test_secrets(case: str) -> None:
    data, access = SECRETS[case]
    secret = Secret(metadata=ObjectMeta("s", "ops"), string_data=data)
    settings = PrometheusSettings("http://p/", "ops/s")
    assert read_access(settings, {Named("ops", "s"): secret}) == access
    with pytest.raises(ValueError, match="there is no Secret"):
        read_access(settings, {})
    assert read_access(PrometheusSettings("http://p", timeout=1.0), {}) == Access("http://p", timeout=1.0)


@pytest.mark.parametrize("token", ["a\nb", "a\x00b", "a b", "ü"])
def test_tokens_that_no_header_carries(token: str) -> None:
    secret = Secret(metadata=ObjectMeta("s", "ops"), string_data={"token": token})
    with pytest.raises(ValueError, match="that a header can carry") as refused:
        read_access(PrometheusSettings("http://p/", "ops/s"), {Named("ops", "s"): secret})
    assert token not in str(refused.value)


def test_what_is_secret_is_not_shown() -> None:
    assert "abc" not in f"{Access('http://p', 'Bearer abc')!r}"
