"""Groups of a TrafficPolicy about requests: what fits into a message, what excludes each other, what exists."""

from __future__ import annotations

from pathlib import Path

from tests.config.validating import Case, Expected, case, check, document, error, service, table, warning

OBJECTS = (
    service("{ports: [{port: 80, name: http}]}")
    + service("{ports: [{port: 80, name: http}, {port: 81, name: admin}]}", "canary")
    + document("Secret", "stringData: {ca.crt: x}", "ca")
    + document("Secret", "stringData: {other: x}", "other")
    + document("ConfigMap", "data: {ca.crt: x}", "signers")
    + document("ConfigMap", "data: {other: x}", "settings")
)


def groups(name: str, text: str, *expected: Expected) -> Case:
    """A policy with the groups of a flow mapping."""
    body = f"spec: {{targetRef: {{kind: Service, name: web}}, {text}}}"
    return case(name, OBJECTS + document("TrafficPolicy", body, "web", "weft.dev/v1"), *expected)


RATES = [
    groups("rates", "rateLimit: {route: {requests: 100}, client: {requests: 5, per: 1m, burst: 10}}"),
    groups("no rate", "rateLimit: {}", warning("spec.rateLimit", "limits nothing")),
    groups(
        "no time", "rateLimit: {client: {requests: 5, per: 0}}", error("spec.rateLimit.client.per", "longer than 0")
    ),
    groups("nothing", "rateLimit: {route: {requests: 0}}", error("spec.rateLimit.route.requests", "between")),
]
HEADERS = [
    groups(
        "headers",
        "headers: {request: {set: {X-A: a b, X-Empty: ''}, add: {X-A: c}, remove: [X-C]}, response: {add: {X-D: d}}}",
    ),
    groups("no name", "headers: {request: {set: {'a b': c}}}", error("spec.headers.request.set[a b]", "token")),
    groups(
        "a line break",
        r"""headers: {request: {set: {X-A: "a\r\nb"}}}""",
        error("spec.headers.request.set.X-A", "control"),
    ),
    groups(
        "space around", "headers: {response: {add: {X-A: ' a'}}}", error("spec.headers.response.add.X-A", "white space")
    ),
    groups(
        "beyond latin",
        "headers: {response: {add: {X-A: '\u20ac'}}}",
        error("spec.headers.response.add.X-A", "above 255"),
    ),
    groups("host", "headers: {request: {set: {Host: a}}}", error("spec.headers.request.set.Host", "rewrite")),
    groups(
        "framing", "headers: {request: {remove: [Content-Length]}}", error("spec.headers.request.remove[0]", "frames")
    ),
    groups(
        "the id",
        "headers: {request: {set: {x-request-id: a}}}",
        error("spec.headers.request.set.x-request-id", "written by weft"),
    ),
    groups("the id, to clients", "headers: {response: {remove: [X-Request-Id]}}"),
    groups("twice", "headers: {request: {set: {X-A: a, x-a: b}}}", error("spec.headers.request.set.x-a", "X-A")),
    groups(
        "removed twice", "headers: {request: {remove: [a, A]}}", error("spec.headers.request.remove[1]", "remove[0]")
    ),
]
PLACES = [
    groups("redirect", "redirect: {scheme: https, host: shop.example, port: 443, prefix: /new, status: 301}"),
    groups("redirect to nowhere", "redirect: {}", error("spec.redirect", "leads back")),
    groups("no redirect", "redirect: {scheme: https, status: 304}", error("spec.redirect.status", "304 is not 301")),
    groups("no status", "redirect: {scheme: https, status: 200}", error("spec.redirect.status", "between 300 and 399")),
    groups("a host that is none", "redirect: {host: 'a b'}", error("spec.redirect.host", "not an IP address")),
    groups("to an address", "redirect: {host: 127.0.0.1}"),
    groups("a path that is none", "redirect: {path: new}", error("spec.redirect.path", "begin with '/'")),
    groups("a query", "rewrite: {path: '/a?b'}", error("spec.rewrite.path", "'?'")),
    groups("a path and a prefix", "rewrite: {path: /a, prefix: /b}", error("spec.rewrite.prefix", "excludes path")),
    groups("strip", "rewrite: {prefix: /}"),
    groups("a rewrite of nothing", "rewrite: {}", warning("spec.rewrite", "changes nothing")),
    groups(
        "a redirect of what is not sent",
        "redirect: {scheme: https}, rewrite: {path: /a}, split: [{service: web}], mirror: {service: web}",
        error("spec.rewrite", "excludes redirect"),
        error("spec.split", "excludes redirect"),
        error("spec.mirror", "excludes redirect"),
    ),
]
SERVICES = [
    groups("split", "split: [{service: web, weight: 9}, {service: canary, port: 80}, {service: canary, port: admin}]"),
    groups("split of none", "split: [{service: web, weight: 0}]", error("spec.split", "above 0")),
    groups("one twice", "split: [{service: web}, {service: web}]", error("spec.split[1]", "split[0]")),
    groups("a Service that is not there", "split: [{service: wep}]", error("spec.split[0].service", '"web"')),
    groups("a port that is not there", "split: [{service: web, port: 81}]", error("spec.split[0].port", "no port 81")),
    groups(
        "a port that is none",
        "split: [{service: web, port: 0}]",
        error("spec.split[0].port", "1 to 65535"),
        error("spec.split[0].port", "no port 0"),
    ),
    groups("a negative weight", "split: [{service: web, weight: -1}]", error("spec.split[0].weight", "between")),
    groups("mirror", "mirror: {service: canary, port: admin, percent: 0.5}"),
    groups("a mirror of too much", "mirror: {service: canary, percent: 101}", error("spec.mirror.percent", "between")),
    groups(
        "mirror into nothing",
        "mirror: {service: B}",
        error("spec.mirror.service", "DNS"),
        error("spec.mirror.service", "does not exist"),
    ),
]
OTHERS = [
    groups("fault", "fault: {delay: {duration: 2s, percent: 10}, abort: {status: 500, percent: 0.1}}"),
    groups("no fault", "fault: {}", warning("spec.fault", "does nothing")),
    groups("no status", "fault: {abort: {status: 99}}", error("spec.fault.abort.status", "between")),
    groups(
        "cors",
        "cors: {allowOrigins: [https://a.example, 'https://*.b.example', 'http://[::1]:80'], allowHeaders: ['*']}",
    ),
    groups("no origin", "cors: {allowOrigins: []}", error("spec.cors.allowOrigins", "at least one")),
    groups(
        "an origin that is none",
        "cors: {allowOrigins: [https://a.example/]}",
        error("spec.cors.allowOrigins[0]", "without a path"),
    ),
    groups(
        "everybody's credentials",
        "cors: {allowOrigins: ['*'], allowCredentials: true}",
        error("spec.cors.allowCredentials", "name the origins"),
    ),
    groups(
        "methods",
        "cors: {allowOrigins: ['*'], allowMethods: [GET, get, 'P T']}",
        error("spec.cors.allowMethods[1]", "[0]"),
        error("spec.cors.allowMethods[2]", "token"),
    ),
    groups("size", "maxRequestBytes: 1048576"),
    groups("lists", "access: {allow: [10.0.0.0/8, '::1'], deny: [10.1.0.0/16]}"),
    groups("no network", "access: {allow: [10.0.0.1/8]}", error("spec.access.allow[0]", "10.0.0.0/8")),
    groups("a network twice", "access: {deny: [10.0.0.0/8, 10.0.0.0/8]}", error("spec.access.deny[1]", "[0]")),
    groups("PROXY", "proxyProtocol: {send: v2}"),
    groups("PROXY, in", "proxyProtocol: {acceptFrom: [10.0.0.0/8], send: v2}"),
    groups(
        "PROXY within TLS",
        "proxyProtocol: {send: v1}, tls: {reencrypt: {caSecret: ca}}",
        error("spec.proxyProtocol.send", "excludes tls.reencrypt"),
    ),
    groups(
        "PROXY from nobody",
        "proxyProtocol: {acceptFrom: [lan]}",
        error("spec.proxyProtocol.acceptFrom[0]", "not a network"),
    ),
    groups("re-encryption", "tls: {reencrypt: {caSecret: ca, serverName: shop.example}}"),
    groups("belief", "tls: {reencrypt: {verify: false}}", warning("spec.tls.reencrypt.verify", "is believed")),
    groups(
        "belief in spite of a signer",
        "tls: {reencrypt: {verify: false, caSecret: ca}}",
        warning("spec.tls.reencrypt.verify", "is believed"),
        warning("spec.tls.reencrypt.caSecret", "no effect"),
    ),
    groups("a signer that is no secret", "tls: {reencrypt: {caConfigMap: signers}}"),
    groups(
        "two signers",
        "tls: {reencrypt: {caSecret: ca, caConfigMap: signers}}",
        warning("spec.tls.reencrypt.caConfigMap", "beside caSecret"),
    ),
    groups("no ConfigMap", "tls: {reencrypt: {caConfigMap: ca}}", warning("spec.tls.reencrypt.caConfigMap", "exist")),
    groups(
        "a ConfigMap without signer",
        "tls: {reencrypt: {caConfigMap: settings}}",
        warning("spec.tls.reencrypt.caConfigMap", "has no key"),
    ),
    groups("no signer", "tls: {reencrypt: {caSecret: other}}", warning("spec.tls.reencrypt.caSecret", "ca.crt")),
    groups("no Secret", "tls: {reencrypt: {caSecret: cb}}", warning("spec.tls.reencrypt.caSecret", "does not exist")),
]


@table(RATES + HEADERS + PLACES + SERVICES + OTHERS)
def test_groups(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path)
