"""Secrets that a NodeConfig names."""

from __future__ import annotations

from pathlib import Path

from tests.config.validating import Case, case, check, document, table, warning

KEY = "stringData: {name: node-1, secret: c2VjcmV0}"


def node(spec: str) -> str:
    return document("NodeConfig", f"spec: {{{spec}}}", "here", "weft.dev/v1")


def keys(*names: str) -> str:
    written = ", ".join(f"{{secret: {name}, transfers: true}}" for name in names)
    return node(f"registry: {{keys: [{written}]}}")


CASES = [
    case("there", keys("node-1") + document("Secret", KEY, "node-1")),
    case(
        "one of two is missing",
        keys("node-1", "node-2") + document("Secret", KEY, "node-1"),
        warning("spec.registry.keys[1].secret", 'does not exist: nobody can use this key; did you mean "node-1"?'),
    ),
    case(
        "in another namespace",
        keys("node-1") + document("Secret", KEY, "node-1, namespace: dns"),
        warning("spec.registry.keys[0].secret", 'there is one in namespace "dns": write dns/node-1'),
    ),
    case(
        "no key",
        keys("node-1") + document("Secret", "stringData: {name: node-1}", "node-1"),
        warning("spec.registry.keys[0].secret", "needs the keys name and secret"),
    ),
    case("a node's own", node("registry: {key: mine}"), warning("spec.registry.key", "Secret/default/mine")),
    case(
        "what etcd needs",
        node("registry: {etcd: {endpoints: ['https://e:2379'], tls: a, user: b/c}}"),
        warning("spec.registry.etcd.tls", "default/a does not exist"),
        warning("spec.registry.etcd.user", "b/c does not exist"),
    ),
    case(
        "what Prometheus needs",
        node("autoscaler: {prometheus: {url: 'http://p:9090', secret: token}}"),
        warning("spec.autoscaler.prometheus.secret", "does not exist"),
    ),
]


@table(CASES)
def test_secrets_of_a_node(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path)
