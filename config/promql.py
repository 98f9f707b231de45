"""Metrics of type External as PromQL (Prometheus' query language): what a HorizontalPodAutoscaler asks, and whom.

The annotation ``weft.dev/query.NAME`` says what is asked for the metric NAME.  Without it NAME is a series' name, as
with prometheus-adapter's usual rule: the sum of all series of the object's namespace that the selector chooses.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from config.meta import LabelRequirement, LabelSelector, Named
from config.naming import shown
from config.resources.autoscaling import MetricIdentifier
from config.resources.core import Secret
from config.settings import PrometheusSettings
from config.values import secret_value

QUERY: Final = "weft.dev/query."
"""Annotation of a HorizontalPodAutoscaler, followed by the name of a metric."""
LONGEST_SECONDS: Final = 60.0
"""That an answer may take at most."""
DEFAULT_NAMESPACE: Final = "default"
_SERIES: Final = re.compile("[a-zA-Z_:][a-zA-Z0-9_:]*", re.ASCII)
_TOKEN: Final = re.compile("[!-~]+", re.ASCII)
_LABEL: Final = re.compile("[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)


class Access(NamedTuple):
    """How one asks a Prometheus."""

    url: str
    """Without a slash at its end."""
    authorization: str = ""
    """Header field; empty: it asks for none."""
    authorities: bytes = b""
    """Certificates, one of which signed its own; empty: those of the system."""
    timeout: float = 5.0
    """Seconds."""

    def __repr__(self) -> str:
        return f"Access({self.url!r}, ...)"


def query_of(metric: MetricIdentifier, namespace: str, annotations: Mapping[str, str]) -> str:
    """What is asked for `metric`; `annotations` are those of its object.  Raises ValueError with a sentence."""
    if written := annotations.get(QUERY + metric.name, "").strip():
        return written
    matchers = [f"namespace={_quoted(namespace)}", *_matchers(metric.selector or LabelSelector())]
    if _SERIES.fullmatch(metric.name):
        return f"sum({metric.name}{{{','.join(matchers)}}})"
    return f"sum({{{','.join([f'__name__={_quoted(metric.name)}', *matchers])}}})"


def _matchers(selector: LabelSelector) -> Iterator[str]:
    for key, value in selector.match_labels.items():
        yield f"{_label(key)}={_quoted(value)}"
    for requirement in selector.match_expressions:
        yield _label(requirement.key) + _condition(requirement)


def _condition(requirement: LabelRequirement) -> str:
    if requirement.operator in ("In", "NotIn"):
        values = _quoted("|".join(map(re.escape, requirement.values)))
        return f"{'=~' if requirement.operator == 'In' else '!~'}{values}"
    return '!=""' if requirement.operator == "Exists" else '=""'


def _label(name: str) -> str:
    if not _LABEL.fullmatch(name):
        raise ValueError(f"{shown(name)} is no label of Prometheus: write the query as {QUERY}NAME")
    return name


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def parse_url(text: str) -> str:
    """Where a Prometheus is, without a slash at its end.  Raises ValueError."""
    try:
        url = urlsplit(text)
        is_whole = url.scheme in ("http", "https") and bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:
        is_whole = False
    if not is_whole or url.query or url.fragment or url.username:
        raise ValueError(f"{shown(text)} is no URL of a Prometheus, such as 'http://prometheus.example:9090'")
    return text.rstrip("/")


def read_access(settings: PrometheusSettings, secrets: Mapping[Named, Secret]) -> Access:
    """How Prometheus is asked.  Raises ValueError with a sentence if something cannot be had."""
    access = Access(parse_url(settings.url), timeout=settings.timeout)
    if not settings.secret:
        return access
    namespace, _, name = settings.secret.rpartition("/")
    secret = secrets.get(Named(namespace or DEFAULT_NAMESPACE, name))
    if secret is None:
        raise ValueError(f"there is no Secret {shown(name)} in namespace {shown(namespace or DEFAULT_NAMESPACE)}")
    authorities = secret_value(secret, "ca.crt") or b""
    return access._replace(authorization=_authorization(secret), authorities=authorities)


def _authorization(secret: Secret) -> str:
    token, user = secret_value(secret, "token"), secret_value(secret, "username")
    if token:
        text = token.decode("utf-8", "replace").strip()
        if not _TOKEN.fullmatch(text):
            raise ValueError(f"`token` of Secret {shown(secret.metadata.name)} is none that a header can carry")
        return f"Bearer {text}"
    if user:
        password = secret_value(secret, "password") or b""
        return f"Basic {b64encode(user + b':' + password).decode('ascii')}"
    return ""
