"""Groups of a TrafficPolicy about requests: values that fit into a message, and groups that exclude each other."""

from __future__ import annotations

import re
from collections.abc import Iterable

from config.addresses import parse_address, parse_network
from config.filters import CORSPolicy, HeaderEdits, RedirectPolicy, RewritePolicy
from config.naming import DNS_SUBDOMAIN, SERVICE_PORT_NAME, TOKEN, shown
from config.policies import TrafficPolicySpec
from config.validation.report import ObjectReport, duplicates, keyed, problem_of

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PATH = re.compile(r"/[!-\"$->@-~]*")
"""Visible ASCII from a slash on, without query and fragment."""
_VALUE = re.compile(r"[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?")
_ORIGIN = re.compile(r"\*|[a-z][a-z0-9+.-]*://(?:\*\.)?(?:[a-z0-9-]+(?:\.[a-z0-9-]+)*|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
_OURS = frozenset(
    {"connection", "content-length", "host", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"}
)


def check_filters(spec: TrafficPolicySpec, report: ObjectReport) -> None:
    _check_rate_limit(spec, report)
    if spec.headers:
        _check_edits("spec.headers.request", spec.headers.request, report)
        _check_edits("spec.headers.response", spec.headers.response, report)
    if spec.redirect:
        _check_redirect(spec, spec.redirect, report)
    if spec.rewrite:
        _check_place("spec.rewrite", spec.rewrite, report)
        if spec.rewrite == RewritePolicy():
            report.warning("spec.rewrite", "changes nothing", "spec.rewrite")
    _check_split(spec, report)
    if spec.mirror:
        _check_service("spec.mirror", spec.mirror.service, spec.mirror.port, report)
    if spec.fault and not (spec.fault.delay or spec.fault.abort):
        report.warning("spec.fault", "does nothing without delay or abort", "spec.fault")
    if spec.cors:
        _check_cors(spec.cors, report)
    _check_networks(spec, report)
    _check_announcement(spec, report)
    if spec.tls and spec.tls.reencrypt:
        _check_reencrypt(spec, report)


def _check_rate_limit(spec: TrafficPolicySpec, report: ObjectReport) -> None:
    if not spec.rate_limit:
        return
    buckets = {"route": spec.rate_limit.route, "client": spec.rate_limit.client}
    if not any(buckets.values()):
        report.warning("spec.rateLimit", "limits nothing without route or client", "spec.rateLimit")
    for field, bucket in buckets.items():
        if bucket and not bucket.per:
            report.error(f"spec.rateLimit.{field}.per", "must be longer than 0")


def _check_edits(path: str, edits: HeaderEdits, report: ObjectReport) -> None:
    for field, values in (("set", edits.set), ("add", edits.add)):
        for name, value in values.items():
            _check_name(keyed(f"{path}.{field}", name), name, report)
            if value and not _VALUE.fullmatch(value):
                words = (
                    "is not a field's value: no control characters, no white space around it, no character above 255"
                )
                report.error(keyed(f"{path}.{field}", name), f"{shown(value)} {words}")
        for again, first in duplicates(name.lower() for name in values).items():
            names = list(values)
            report.error(keyed(f"{path}.{field}", names[again]), f"named before, as {shown(names[first])}")
    for i, name in enumerate(edits.remove):
        _check_name(f"{path}.remove[{i}]", name, report)
    for again, first in duplicates(name.lower() for name in edits.remove).items():
        report.error(f"{path}.remove[{again}]", f"named before, as remove[{first}]", f"{path}.remove[{first}]")


def _check_name(path: str, name: str, report: ObjectReport) -> None:
    report.check(path, TOKEN.problem(name))
    if name.lower() == "host":
        report.error(path, "Host is changed by rewrite: {host: ...}")
    elif name.lower() == "x-request-id" and path.startswith("spec.headers.request"):
        report.error(path, f"{name} is always written by weft itself")
    elif name.lower() in _OURS:
        report.error(path, f"{name} frames the message, and is always written by weft itself")


def _check_place(path: str, place: RedirectPolicy | RewritePolicy, report: ObjectReport) -> None:
    if place.host:
        report.check(f"{path}.host", DNS_SUBDOMAIN.problem(place.host) and problem_of(parse_address, place.host))
    for field, text in (("path", place.path), ("prefix", place.prefix)):
        if text and not _PATH.fullmatch(text):
            words = "is not a path: begin with '/', without white space, '?' and '#'; encode others as %XX"
            report.error(f"{path}.{field}", f"{shown(text)} {words}")
    if place.path and place.prefix:
        report.error(f"{path}.prefix", "excludes path: one replaces a part, the other the whole", f"{path}.path")


def _check_redirect(spec: TrafficPolicySpec, redirect: RedirectPolicy, report: ObjectReport) -> None:
    for field, other in (("rewrite", spec.rewrite), ("split", spec.split), ("mirror", spec.mirror)):
        if other:
            report.error(f"spec.{field}", "excludes redirect, which asks no endpoint")
    _check_place("spec.redirect", redirect, report)
    if redirect.status not in _REDIRECTS:
        report.error("spec.redirect.status", f"{redirect.status} is not 301, 302, 303, 307 or 308")
    if not (redirect.scheme or redirect.host or redirect.port or redirect.path or redirect.prefix):
        report.error("spec.redirect", "leads back to itself: say a scheme, host, port, path or prefix", "spec.redirect")


def _check_split(spec: TrafficPolicySpec, report: ObjectReport) -> None:
    for i, part in enumerate(spec.split):
        _check_service(f"spec.split[{i}]", part.service, part.port, report)
    for again, first in duplicates((part.service, part.port) for part in spec.split).items():
        given = [f"spec.split[{i}].{field}" for i in (first, again) for field in ("service", "port")]
        report.error(f"spec.split[{again}]", f"named before, as split[{first}]", *given)
    if spec.split and not any(part.weight for part in spec.split):
        report.error("spec.split", "at least one weight must be above 0", "spec.split.*.weight")
    if len(spec.split) > 64:
        report.error("spec.split", f"at most 64 Services share traffic; here are {len(spec.split)}")


def _check_service(path: str, service: str, port: int | str | None, report: ObjectReport) -> None:
    report.check(f"{path}.service", DNS_SUBDOMAIN.problem(service))
    if isinstance(port, int) or (port is not None and port.isdecimal()):
        if not 1 <= int(port) <= 65535:
            report.error(f"{path}.port", f"{port} is not a port number from 1 to 65535")
    elif port is not None:
        report.check(f"{path}.port", SERVICE_PORT_NAME.problem(port))


def _check_cors(cors: CORSPolicy, report: ObjectReport) -> None:
    path = "spec.cors"
    if not cors.allow_origins:
        report.error(f"{path}.allowOrigins", "at least one origin is needed, such as https://shop.example or '*'")
    for i, origin in enumerate(cors.allow_origins):
        if not _ORIGIN.fullmatch(origin):
            words = "is not an origin: SCHEME://HOST[:PORT] in lower case without a path, SCHEME://*.HOST, or '*'"
            report.error(f"{path}.allowOrigins[{i}]", f"{shown(origin)} {words}")
    if cors.allow_credentials and "*" in cors.allow_origins:
        words = "with '*' would let every page act as its visitor: name the origins"
        report.error(f"{path}.allowCredentials", words, f"{path}.allowOrigins")
    for field, names in (
        ("allowMethods", cors.allow_methods),
        ("allowHeaders", cors.allow_headers),
        ("exposeHeaders", cors.expose_headers),
    ):
        _check_tokens(f"{path}.{field}", names, report)


def _check_tokens(path: str, names: Iterable[str], report: ObjectReport) -> None:
    names = tuple(names)
    for i, name in enumerate(names):
        report.check(f"{path}[{i}]", TOKEN.problem(name))
    for again, first in duplicates(name.lower() for name in names).items():
        report.error(f"{path}[{again}]", f"named before, as [{first}]", f"{path}[{first}]")


def _check_networks(spec: TrafficPolicySpec, report: ObjectReport) -> None:
    lists: list[tuple[str, tuple[str, ...]]] = []
    if spec.access:
        lists += [("spec.access.allow", spec.access.allow), ("spec.access.deny", spec.access.deny)]
    if spec.proxy_protocol:
        lists.append(("spec.proxyProtocol.acceptFrom", spec.proxy_protocol.accept_from))
    for path, networks in lists:
        for i, text in enumerate(networks):
            if problem_of(parse_address, text):
                report.check(f"{path}[{i}]", problem_of(parse_network, text))
        for again, first in duplicates(networks).items():
            report.error(f"{path}[{again}]", f"named before, as [{first}]", f"{path}[{first}]")


def _check_announcement(spec: TrafficPolicySpec, report: ObjectReport) -> None:
    if spec.proxy_protocol and spec.proxy_protocol.send and spec.tls and spec.tls.reencrypt:
        report.error("spec.proxyProtocol.send", "excludes tls.reencrypt: the header would go within TLS")


def _check_reencrypt(spec: TrafficPolicySpec, report: ObjectReport) -> None:
    reencrypt = spec.tls.reencrypt if spec.tls else None
    if reencrypt is None:
        return
    path = "spec.tls.reencrypt"
    signers = {"caSecret": reencrypt.ca_secret, "caConfigMap": reencrypt.ca_config_map}
    for field, name in {**signers, "serverName": reencrypt.server_name}.items():
        if name:
            report.check(f"{path}.{field}", DNS_SUBDOMAIN.problem(name))
    if all(signers.values()):
        report.warning(f"{path}.caConfigMap", "has no effect beside caSecret: keep one of the two", f"{path}.caSecret")
    if not reencrypt.verify:
        for field in (field for field, name in signers.items() if name):
            report.warning(f"{path}.{field}", "has no effect with verify: false", f"{path}.verify")
        report.warning(f"{path}.verify", "false: whoever can answer at the endpoint's address is believed")
