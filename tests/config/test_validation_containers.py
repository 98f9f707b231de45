"""Containers: image, ports, environment, resources."""

from __future__ import annotations

from pathlib import Path

from tests.config.validating import Case, case, check, deployment, document, error, table, warning

AT = "spec.template.spec.containers[0]"
GIVEN = document("ConfigMap", "data: {k: v}", "given") + document("Secret", "stringData: {k: v}", "given")


def container(body: str) -> str:
    """One container, all of it in `body`."""
    return (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {selector: {matchLabels: {app: web}}, "
        f"template: {{metadata: {{labels: {{app: web}}}}, spec: {{containers: [{body}]}}}}}}\n---\n"
    )


def env(entry: str) -> str:
    return GIVEN + deployment(f"{{env: [{entry}]}}")


def value_from(source: str) -> str:
    return env(f"{{name: A, valueFrom: {source}}}")


def resources(body: str) -> str:
    return deployment(f"{{resources: {body}}}")


BASICS = [
    case("a name with underscores", container("{name: a_b, image: i}"), error(f"{AT}.name", '"a-b"')),
    case("no image", container("{name: a}"), error(f"{AT}.image", "NodeConfig's images")),
    case("an image with a space", container("{name: a, image: 'i '}"), error(f"{AT}.image", "white space")),
    case("a port's name", deployment("{ports: [{name: http, containerPort: 80}]}")),
    case(
        "a long port's name",
        deployment("{ports: [{name: sixteen-letters-, containerPort: 80}]}"),
        error(f"{AT}.ports[0].name", "15"),
    ),
    case(
        "a port's name in capitals",
        deployment("{ports: [{name: HTTP, containerPort: 80}]}"),
        error(f"{AT}.ports[0].name", '"http"'),
    ),
    case(
        "a port's name twice",
        deployment("{ports: [{name: a, containerPort: 80}, {name: a, containerPort: 81}]}"),
        error(f"{AT}.ports[1].name", "ports[0]"),
    ),
    case(
        "a port twice",
        deployment("{ports: [{containerPort: 80}, {containerPort: 80}]}"),
        warning(f"{AT}.ports[1].containerPort", "ports[0]"),
    ),
    case("a port of two protocols", deployment("{ports: [{containerPort: 53}, {containerPort: 53, protocol: UDP}]}")),
]
ENVIRONMENT = [
    case("a value", env("{name: A, value: b}")),
    case("no name", env("{name: '', value: b}"), error(f"{AT}.env[0].name", "variable name")),
    case("a name with =", env("{name: 'A=B', value: b}"), error(f"{AT}.env[0].name", "without '='")),
    case("a name with a digit first", env("{name: 1A, value: b}"), warning(f"{AT}.env[0].name", "every Kubernetes")),
    case("a name twice", env("{name: A, value: b}, {name: A, value: c}"), warning(f"{AT}.env[1].name", "env[0]")),
    case(
        "value and valueFrom",
        env("{name: A, value: b, valueFrom: {fieldRef: {fieldPath: metadata.name}}}"),
        error(f"{AT}.env[0].valueFrom", "exclude each other"),
    ),
    case("nothing", value_from("{}"), warning(f"{AT}.env[0].valueFrom", "not set")),
    case(
        "two sources",
        value_from("{fieldRef: {fieldPath: metadata.name}, secretKeyRef: {name: given, key: k}}"),
        error(f"{AT}.env[0].valueFrom", "secretKeyRef and fieldRef exclude"),
    ),
    case("secretKeyRef", value_from("{secretKeyRef: {name: given, key: k}}")),
    case("configMapKeyRef", value_from("{configMapKeyRef: {name: given, key: k}}")),
    case(
        "no name of a Secret",
        value_from("{secretKeyRef: {key: k}}"),
        error(f"{AT}.env[0].valueFrom.secretKeyRef.name", "DNS subdomain"),
    ),
    case(
        "an odd key",
        value_from("{configMapKeyRef: {name: given, key: 'a/b', optional: true}}"),
        error(f"{AT}.env[0].valueFrom.configMapKeyRef.key", "key of data"),
    ),
    case("the pod's name", value_from("{fieldRef: {fieldPath: metadata.name}}")),
    case("the pod's address", value_from("{fieldRef: {fieldPath: status.podIP}}")),
    case("a label", value_from("{fieldRef: {fieldPath: \"metadata.labels['app']\"}}")),
    case(
        "a label's odd key",
        value_from("{fieldRef: {fieldPath: \"metadata.labels['-']\"}}"),
        error(f"{AT}.env[0].valueFrom.fieldRef.fieldPath", "label key"),
    ),
    case(
        "a field near one",
        value_from("{fieldRef: {fieldPath: metadata.nam}}"),
        error(f"{AT}.env[0].valueFrom.fieldRef.fieldPath", 'did you mean "metadata.name"'),
    ),
    case(
        "a field like none",
        value_from("{fieldRef: {fieldPath: x}}"),
        error(f"{AT}.env[0].valueFrom.fieldRef.fieldPath", "it is one of"),
    ),
    case(
        "envFrom",
        GIVEN + deployment("{envFrom: [{prefix: A_, secretRef: {name: given}}, {configMapRef: {name: given}}]}"),
    ),
    case("envFrom nothing", deployment("{envFrom: [{prefix: A_}]}"), error(f"{AT}.envFrom[0]", "exactly one")),
    case(
        "envFrom both",
        GIVEN + deployment("{envFrom: [{secretRef: {name: given}, configMapRef: {name: given}}]}"),
        error(f"{AT}.envFrom[0]", "exactly one"),
    ),
    case(
        "envFrom no name",
        deployment("{envFrom: [{secretRef: {}}]}"),
        error(f"{AT}.envFrom[0].secretRef.name", "DNS subdomain"),
    ),
    case(
        "envFrom prefix",
        GIVEN + deployment("{envFrom: [{prefix: 'a=', secretRef: {name: given}}]}"),
        error(f"{AT}.envFrom[0].prefix", "without '='"),
    ),
]
RESOURCES = [
    case("requests and limits", resources("{requests: {cpu: 100m, memory: 64Mi}, limits: {cpu: 1, memory: 1Gi}}")),
    case(
        "more than the limit",
        resources("{requests: {cpu: 2}, limits: {cpu: 500m}}"),
        error(f"{AT}.resources.requests.cpu", "more than the limit, 500m"),
    ),
    case("negative", resources("{requests: {cpu: -1}}"), error(f"{AT}.resources.requests.cpu", "negative")),
    case(
        "no quantity", resources("{limits: {memory: 64MB}}"), error(f"{AT}.resources.limits.memory", "not a quantity")
    ),
    case(
        "a misspelt resource",
        resources("{limits: {memroy: 64Mi}}"),
        error(f"{AT}.resources.limits.memroy", 'did you mean "memory"'),
    ),
    case(
        "an unknown resource",
        resources("{limits: {sockets: 1}}"),
        error(f"{AT}.resources.limits.sockets", "PREFIX/NAME"),
    ),
    case("a resource of a vendor", resources("{limits: {nvidia.com/gpu: 1}}")),
    case("huge pages", resources("{limits: {hugepages-2Mi: 64Mi}}")),
    case(
        "an odd vendor", resources("{limits: {'A_B/gpu': 1}}"), error(f"{AT}.resources.limits[A_B/gpu]", "before '/'")
    ),
]


@table(BASICS + ENVIRONMENT + RESOURCES)
def test_containers(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path)
