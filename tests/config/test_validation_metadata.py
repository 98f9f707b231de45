"""metadata: the names of each kind, labels, annotations."""

from __future__ import annotations

from pathlib import Path

from tests.config.validating import Case, case, check, document, endpoints_of, error, table, warning

SPEC = "spec: {ports: [{port: 80}]}"


def named(name: str, rest: str = "") -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}{rest}}}\n"


CASES = [
    case("a subdomain", named("a.b-c.d")),
    case("upper case", named("Web"), error("metadata.name", '"web"')),
    case("empty", named("''"), error("metadata.name", "DNS subdomain")),
    case("too long", named("a" * 254), error("metadata.name", "at most 253")),
    case(
        "dots in a Service's name",
        document("Service", SPEC, "a.b") + endpoints_of("a.b"),
        error("metadata.name", '"a-b"'),
    ),
    case(
        "a Service's name with a digit first",
        document("Service", SPEC, "1a") + endpoints_of("1a"),
        warning("metadata.name", "1.34"),
    ),
    case(
        "a Service's name too long",
        document("Service", SPEC, "a" * 64),
        error("metadata.name", "at most 63"),
        warning("spec", "no endpoints"),
    ),
    case(
        "a Namespace is a label",
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: a.b}\n",
        error("metadata.name", "DNS label"),
    ),
    case(
        "a NodeConfig",
        document("NodeConfig", "spec: {}", "My_Laptop", "weft.dev/v1"),
        error("metadata.name", '"my-laptop"'),
    ),
    case("namespace", named("a", ", namespace: prod")),
    case("namespace with a dot", named("a", ", namespace: a.b"), error("metadata.namespace", "DNS label")),
    case("labels", named("a", ", labels: {app: web, 'app.kubernetes.io/name': Web_1.2}")),
    case("a label's value", named("a", ", labels: {app: -web}"), error("metadata.labels.app", "label value")),
    case("a label's key", named("a", ", labels: {-app: web}"), error("metadata.labels[-app]", "label key")),
    case("a label's prefix", named("a", ", labels: {'A_B/c': web}"), error("metadata.labels[A_B/c]", "before '/'")),
    case("annotations may hold anything", named("a", ", annotations: {'Weft.dev/Note': 'any text, 100%'}")),
    case(
        "an annotation's key", named("a", ", annotations: {'a b': x}"), error("metadata.annotations[a b]", "label key")
    ),
    case(
        "annotations too large",
        named("a", f", annotations: {{a: {'x' * 262144}}}"),
        error("metadata.annotations", "at most 262144"),
    ),
]


@table(CASES)
def test_metadata(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path)
