"""How things may be called: DNS labels and subdomains, labels, annotations, ports, variables, header fields.

Kubernetes takes its names from RFC 1035 and RFC 1123 (DNS), RFC 6335 (service names) and RFC 9110 (tokens).
Every rule is a value; `Rule.problem` says in one sentence what is wrong with a name and proposes a right one.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple


class Rule(NamedTuple):
    """What a kind of name looks like."""

    noun: str
    pattern: re.Pattern[str]
    longest: int
    words: str
    tidy: str = ""
    """Characters that do not belong into a proposal; empty: propose nothing."""

    def problem(self, text: str) -> str | None:
        """Why `text` is not such a name, and a name close to it that is; None when it is one."""
        if len(text) > self.longest:
            return f"{shown(text)} is {len(text)} characters long; {self.noun} has at most {self.longest}"
        if self.pattern.fullmatch(text):
            return None
        better = self._proposal(text)
        return f"{shown(text)} is not {self.noun}: {self.words}" + (f"; try {shown(better)}" if better else "")

    def _proposal(self, text: str) -> str:
        if not self.tidy:
            return ""
        better = re.sub(self.tidy, "-", text.lower()).strip("-.")
        return better if self.pattern.fullmatch(better) else ""


_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_QUALIFIED = r"[A-Za-z0-9](?:[-_.A-Za-z0-9]*[A-Za-z0-9])?"
_DNS_WORDS = "lower-case letters, digits and '-', beginning and ending with a letter or digit"

DNS_LABEL = Rule("a DNS label (RFC 1123)", re.compile(_LABEL), 63, _DNS_WORDS, "[^-a-z0-9]+")
SERVICE_NAME = Rule(
    "a DNS label (RFC 1035)",
    re.compile("[a-z](?:[-a-z0-9]*[a-z0-9])?"),
    63,
    "lower-case letters, digits and '-', beginning with a letter",
    "[^-a-z0-9]+",
)
DNS_SUBDOMAIN = Rule(
    "a DNS subdomain (RFC 1123)",
    re.compile(rf"{_LABEL}(?:\.{_LABEL})*"),
    253,
    "labels of lower-case letters, digits and '-' joined by '.', each beginning and ending with a letter or digit",
    "[^-.a-z0-9]+",
)
WILDCARD_HOST = Rule(
    "a wildcard host",
    re.compile(rf"\*(?:\.{_LABEL})+"),
    253,
    "'*.' stands for exactly one label and a name follows it, as in '*.example.com'",
)
PORT_NAME = Rule(
    "a port name (IANA service name, RFC 6335)",
    re.compile(r"(?!.*--)(?=.*[a-z])[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"),
    15,
    "lower-case letters, digits and single '-', with at least one letter",
    "[^a-z0-9]+",
)
SERVICE_PORT_NAME = Rule(
    "a port name of a Service (DNS label, RFC 1123)",
    re.compile(_LABEL),
    62,  # with the `_` before it, it is a label of SRV records
    _DNS_WORDS,
    "[^-a-z0-9]+",
)
LABEL_VALUE = Rule(
    "a label value",
    re.compile(rf"(?:{_QUALIFIED})?"),
    63,
    "letters, digits, '-', '_' and '.', beginning and ending with a letter or digit",
)
_KEY_NAME = Rule("the name of a label key", re.compile(_QUALIFIED), 63, LABEL_VALUE.words)
DATA_KEY = Rule(
    "a key of data",
    re.compile(r"(?!\.\.)(?!\.$)[-._a-zA-Z0-9]+"),
    253,
    "letters, digits, '-', '_' and '.'",
)
VARIABLE = Rule(
    "a variable name",
    re.compile(r"[ -<>-~]+"),
    32_768,
    "printable ASCII characters without '='",
)
PORTABLE_VARIABLE = Rule(
    "a variable name that every Kubernetes takes",
    re.compile(r"(?!\.\.)(?!\.$)[-._a-zA-Z][-._a-zA-Z0-9]*"),
    32_768,
    "letters, digits, '-', '_' and '.', not beginning with a digit",
)
TOKEN = Rule(
    "a token (RFC 9110)",
    re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"),
    256,
    "letters, digits and !#$%&'*+-.^_`|~",
)


def label_key(text: str) -> str | None:
    """Why `text` cannot be the key of a label or annotation: ``[PREFIX/]NAME``; None when it can."""
    prefix, slash, name = text.rpartition("/")
    if slash and (problem := DNS_SUBDOMAIN.problem(prefix)):
        return f"the part before '/': {problem}"
    if not name:
        return f"{shown(text)} has no name" + (" after '/'" if slash else "")
    return _KEY_NAME.problem(name)


def shown(text: str) -> str:
    """`text` quoted, control characters escaped, and cut where it would flood a terminal."""
    return json.dumps(text if len(text) <= 80 else f"{text[:77]}...", ensure_ascii=False)
