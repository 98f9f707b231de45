"""Annotations by which other Ingress controllers are told what to do, on Ingresses that are served here.

They are without effect, which is seen only once traffic comes: so an Ingress that has some is warned of, with the
TrafficPolicy's fields that say the same (names of ingress-nginx and of HAProxy's controller).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from config.configset import ConfigSet
from config.ingress_class import default_classes, verdict
from config.meta import ObjectKey
from config.resources.networking import Ingress
from config.validation.ingresses import knows_class
from config.validation.report import Report, keyed

MOST_NAMED: Final = 8
"""Annotations of one Ingress that its warning names."""
LONGEST_NAME: Final = 63

_CORS: Final = {
    "cors-allow-origin": "cors.allowOrigins",
    "cors-allow-methods": "cors.allowMethods",
    "cors-allow-headers": "cors.allowHeaders",
    "cors-allow-credentials": "cors.allowCredentials",
    "cors-max-age": "cors.maxAge",
}
FIELDS: Final[Mapping[str, Mapping[str, str]]] = {
    "nginx.ingress.kubernetes.io": _CORS
    | {
        "affinity": "balancer.hash.cookie",
        "allowlist-source-range": "access.allow",
        "backend-protocol": "tls.reencrypt",
        "canary": "split",
        "canary-weight": "split.weight",
        "cors-expose-headers": "cors.exposeHeaders",
        "denylist-source-range": "access.deny",
        "enable-cors": "cors",
        "enable-opentelemetry": "trace",
        "force-ssl-redirect": "tls.httpsRedirect",
        "from-to-www-redirect": "redirect.host",
        "limit-burst-multiplier": "rateLimit.client.burst",
        "limit-rpm": "rateLimit.client",
        "limit-rps": "rateLimit.client",
        "load-balance": "balancer.type",
        "mirror-target": "mirror",
        "permanent-redirect": "redirect",
        "proxy-body-size": "maxRequestBytes",
        "proxy-connect-timeout": "timeouts.connect",
        "proxy-next-upstream": "retries.on",
        "proxy-next-upstream-timeout": "timeouts.request",
        "proxy-next-upstream-tries": "retries.attempts",
        "proxy-read-timeout": "timeouts.responseHead",
        "proxy-send-timeout": "timeouts.idle",
        "proxy-ssl-name": "tls.reencrypt.serverName",
        "proxy-ssl-secret": "tls.reencrypt.caSecret",
        "proxy-ssl-verify": "tls.reencrypt.verify",
        "rewrite-target": "rewrite.prefix",
        "session-cookie-max-age": "balancer.hash.issue.ttl",
        "session-cookie-name": "balancer.hash.cookie",
        "session-cookie-path": "balancer.hash.issue.path",
        "session-cookie-samesite": "balancer.hash.issue.sameSite",
        "session-cookie-secure": "balancer.hash.issue.secure",
        "ssl-passthrough": "tls.passthrough",
        "ssl-redirect": "tls.httpsRedirect",
        "temporal-redirect": "redirect",
        "upstream-hash-by": "balancer.hash",
        "upstream-vhost": "rewrite.host",
        "whitelist-source-range": "access.allow",
        "x-forwarded-prefix": "headers.request.set",
    },
    "haproxy.org": _CORS
    | {
        "allow-list": "access.allow",
        "blacklist": "access.deny",
        "check": "healthCheck",
        "check-http": "healthCheck.path",
        "check-interval": "healthCheck.interval",
        "cookie-persistence": "balancer.hash.cookie",
        "cors-enable": "cors",
        "deny-list": "access.deny",
        "load-balance": "balancer.type",
        "path-rewrite": "rewrite.prefix",
        "pod-maxconn": "limits.endpoint.connections",
        "rate-limit-period": "rateLimit.client.per",
        "rate-limit-requests": "rateLimit.client.requests",
        "request-redirect": "redirect.host",
        "request-set-header": "headers.request.set",
        "response-set-header": "headers.response.set",
        "send-proxy-protocol": "proxyProtocol.send",
        "server-ca": "tls.reencrypt.caSecret",
        "server-ssl": "tls.reencrypt",
        "set-host": "rewrite.host",
        "ssl-passthrough": "tls.passthrough",
        "ssl-redirect": "tls.httpsRedirect",
        "timeout-client": "timeouts.idle",
        "timeout-connect": "timeouts.connect",
        "timeout-queue": "limits.queue.deadline",
        "timeout-server": "timeouts.responseHead",
        "timeout-tunnel": "timeouts.tunnelIdle",
        "whitelist": "access.allow",
    },
    "traefik.ingress.kubernetes.io": {},
    "nginx.org": {},
    "haproxy-ingress.github.io": {},
}
"""By the part before the slash, then by the rest: the field of a TrafficPolicy of the Ingress or of its Service."""

_ASKS_FOR_NOTHING: Final = frozenset({"", "0", "false", "off", "http"})
"""What it is like here anyway."""


def check_annotations(config_set: ConfigSet, report: Report) -> None:
    classes = config_set.ingress_classes
    defaults = default_classes(classes)
    for named, ingress in config_set.ingresses.items():
        key, found = ObjectKey("Ingress", *named), list(_without_effect(ingress))
        if not found or not knows_class(key, ingress, classes, report):
            continue
        if verdict(ingress, classes, defaults).served:
            listed = ", ".join(words for _, words in found[:MOST_NAMED])
            more = f", and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
            message = f"no effect here, though the Ingress is served: {listed}{more}"
            report.of(key).warning(keyed("metadata.annotations", found[0][0]), message)


def _without_effect(ingress: Ingress) -> Iterator[tuple[str, str]]:
    """Annotations for other controllers, each with its name and what does the same."""
    for annotation, value in ingress.metadata.annotations.items():
        controller, _, name = annotation.partition("/")
        if controller in FIELDS and value.strip().lower() not in _ASKS_FOR_NOTHING:
            field = FIELDS[controller].get(name)
            yield annotation, name[:LONGEST_NAME] + (f" (a TrafficPolicy has {field})" if field else "")
