"""What objects say about other objects."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from config.loader import load_text
from config.meta import ObjectKey, ObjectMeta, Source
from config.resources.core import Service, ServicePort, ServiceSpec
from config.validation import Validation
from config.validation.references import port_of_section
from tests.config.validating import (
    Case,
    case,
    check,
    deployment,
    document,
    error,
    ingress,
    node,
    service,
    table,
    warning,
)

WEB = service("{ports: [{port: 80, name: http}, {port: 81, name: admin}]}")
PORTS = "{ports: [{name: http, containerPort: 8080}, {name: dns, containerPort: 53, protocol: UDP}]}"


def selecting(ports: str, selector: str = "{app: web}", container: str = PORTS) -> str:
    return deployment(container) + document("Service", f"spec: {{selector: {selector}, ports: [{ports}]}}")


def to(name: str, port: str) -> str:
    return WEB + ingress(f"{{defaultBackend: {{service: {{name: {name}, port: {port}}}}}}}", "front")


def env(source: str) -> str:
    given = document("ConfigMap", "data: {color: v}", "settings") + document(
        "Secret", "data: {a: ''}\nstringData: {token: v}", "keys"
    )
    return given + deployment(f"{{env: [{{name: A, valueFrom: {source}}}]}}")


def env_from(source: str) -> str:
    return document("Secret", "data: {}", "keys") + deployment(f"{{envFrom: [{source}]}}")


def policy(target: str) -> str:
    return WEB + document("TrafficPolicy", f"spec: {{targetRef: {target}}}", "p", "weft.dev/v1")


def tls(secret: str) -> str:
    return (
        secret
        + WEB
        + ingress("{defaultBackend: {service: {name: web, port: {number: 80}}}, tls: [{secretName: cert}]}", "front")
    )


TARGET = "spec.ports[0].targetPort"
SERVICES = [
    case("selected, by name", selecting("{port: 80, targetPort: http}")),
    case("selected, by number", selecting("{port: 80, targetPort: 8080}")),
    case("a misspelt name", selecting("{port: 80, targetPort: htpp}"), error(TARGET, 'did you mean "http"')),
    case("another name", selecting("{port: 80, targetPort: admin}"), error(TARGET, "they have http")),
    case(
        "a name of the other protocol", selecting("{port: 80, targetPort: dns}"), error(TARGET, 'TCP port named "dns"')
    ),
    case("no names", selecting("{port: 80, targetPort: http}", container="{}"), error(TARGET, "they name none")),
    case(
        "a number that nobody declares", selecting("{port: 80}"), warning(TARGET, "containerPort 80; they declare 8080")
    ),
    case("nobody declares anything", selecting("{port: 80}", container="{}")),
    case("one of two has the name", deployment("{}", "old") + selecting("{port: 80, targetPort: http}")),
    case("nobody is selected", selecting("{port: 80}", "{app: api}"), warning("spec.selector", "labels app=api")),
    case("a misspelt label", selecting("{port: 80}", "{app: wbe}"), warning("spec.selector", 'did you mean "app=web"')),
    case("all labels are needed", selecting("{port: 8080}", "{app: web, tier: x}"), warning("spec.selector", "tier=x")),
    case(
        "no selector, no endpoints", document("Service", "spec: {ports: [{port: 80}]}"), warning("spec", "no endpoints")
    ),
    case("no selector, but endpoints", service("{ports: [{port: 80}]}")),
    case(
        "nobody is selected where a registry may know endpoints",
        selecting("{port: 80}", "{app: api}")
        + "---\napiVersion: weft.dev/v1\nkind: NodeConfig\nmetadata: {name: node}\n"
        "spec: {registry: {servers: ['127.0.0.1:5353']}}\n",
    ),
    case("a selector and endpoints", service("{selector: {app: elsewhere}, ports: [{port: 80}]}")),
    case(
        "endpoints of old",
        document("Service", "spec: {ports: [{port: 80}]}")
        + document("Endpoints", "subsets: [{addresses: [{ip: 127.0.0.1}]}]"),
    ),
    case(
        "a Deployment that could not be read is not missed",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: -1}\n---\n"
        + document("Service", "spec: {selector: {app: web}, ports: [{port: 80}]}"),
        error("spec.replicas", "out of range"),
        error("spec.selector", "missing"),
        error("spec.template", "missing"),
    ),
]
BACKEND = "spec.defaultBackend.service"
INGRESSES = [
    case("a port by name", to("web", "{name: http}")),
    case("a port by number", to("web", "{number: 81}")),
    case(
        "no such Service",
        to("wbe", "{number: 80}"),
        error(
            f"{BACKEND}.name",
            'wbe does not exist: its requests are answered with 503; did you mean "web"',
        ),
    ),
    case("no such name", to("web", "{name: htpp}"), error(f"{BACKEND}.port.name", 'did you mean "http"')),
    case(
        "no such number", to("web", "{number: 8080}"), error(f"{BACKEND}.port.number", "it has 80 (http), 81 (admin)")
    ),
    case("a number in place of a name", to("web", "{name: h80}"), error(f"{BACKEND}.port.name", "has no port h80")),
    case(
        "a Service of another namespace",
        "apiVersion: v1\nkind: Service\nmetadata: {name: api, namespace: prod}\n"
        "spec: {type: ExternalName, externalName: a.b}\n---\n" + to("api", "{number: 80}"),
        error(f"{BACKEND}.name", 'there is one in namespace "prod"'),
    ),
    case(
        "an ExternalName without ports",
        service("{type: ExternalName, externalName: a.b}", "ext") + to("ext", "{number: 80}"),
    ),
    case("no Secret", tls(""), warning("spec.tls[0].secretName", "Secret/default/cert does not exist")),
    case(
        "a Secret without keys",
        tls(document("Secret", "data: {}", "cert")),
        warning("spec.tls[0].secretName", '"tls.crt"'),
        warning("spec.tls[0].secretName", '"tls.key"'),
    ),
    case("a Secret", tls(document("Secret", "stringData: {tls.crt: a, tls.key: b}", "cert"))),
    case(
        "no such class",
        "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: weft}\n"
        "spec: {controller: weft.dev/ingress}\n---\n"
        + WEB
        + ingress("{ingressClassName: wefd, defaultBackend: {service: {name: web, port: {number: 80}}}}"),
        warning("spec.ingressClassName", 'did you mean "weft"'),
    ),
    case(
        "no classes at all",
        WEB + ingress("{ingressClassName: nginx, defaultBackend: {service: {name: web, port: {number: 80}}}}"),
        warning("spec.ingressClassName", "IngressClass/nginx does not exist; weft serves the Ingress all the same"),
    ),
    case(
        "the class that needs none",
        WEB + ingress("{ingressClassName: weft, defaultBackend: {service: {name: web, port: {number: 80}}}}"),
    ),
    case(
        "another's class",
        "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: nginx}\n"
        "spec: {controller: k8s.io/ingress-nginx}\n---\n"
        + WEB
        + ingress("{ingressClassName: nginx, defaultBackend: {service: {name: web, port: {number: 80}}}}"),
    ),
]
FROM = "spec.template.spec.containers[0].env[0].valueFrom"
ENVIRONMENT = [
    case(
        "no such Secret",
        env("{secretKeyRef: {name: key, key: token}}"),
        error(f"{FROM}.secretKeyRef.name", 'did you mean "keys"'),
    ),
    case(
        "no such ConfigMap",
        env("{configMapKeyRef: {name: other, key: a}}"),
        error(f"{FROM}.configMapKeyRef.name", "does not exist"),
    ),
    case(
        "no such key of a Secret",
        env("{secretKeyRef: {name: keys, key: toke}}"),
        error(f"{FROM}.secretKeyRef.key", 'did you mean "token"'),
    ),
    case(
        "no such key of a ConfigMap",
        env("{configMapKeyRef: {name: settings, key: x}}"),
        error(f"{FROM}.configMapKeyRef.key", "it has color"),
    ),
    case("optional", env("{secretKeyRef: {name: nobody, key: a, optional: true}}")),
    case("an optional key", env("{secretKeyRef: {name: keys, key: nothing, optional: true}}")),
    case("envFrom", env_from("{secretRef: {name: keys}}")),
    case(
        "envFrom nobody",
        env_from("{configMapRef: {name: keys}}"),
        error("spec.template.spec.containers[0].envFrom[0].configMapRef.name", "does not exist"),
    ),
    case("envFrom optional", env_from("{configMapRef: {name: keys, optional: true}}")),
]


def hpa(target: str, container: str = "{}") -> str:
    return deployment(container) + document(
        "HorizontalPodAutoscaler", f"spec: {{scaleTargetRef: {target}, maxReplicas: 2}}", "h", "autoscaling/v2"
    )


REST = [
    case(
        "no such Deployment",
        hpa("{kind: Deployment, name: wep}"),
        error("spec.scaleTargetRef.name", 'did you mean "web"'),
    ),
    case(
        "another kind", hpa("{kind: StatefulSet, name: web}"), warning("spec.scaleTargetRef.kind", "only Deployments")
    ),
    case(
        "utilization of nothing",
        hpa("{kind: Deployment, name: web}"),
        warning("spec.metrics[0].resource.target", "requests no cpu"),
    ),
    case("utilization of a limit", hpa("{kind: Deployment, name: web}", "{resources: {limits: {cpu: 1}}}")),
    case(
        "a policy of nobody", policy("{kind: Service, name: wep}"), error("spec.targetRef.name", 'did you mean "web"')
    ),
    case(
        "a policy of no Ingress",
        policy("{kind: Ingress, name: web}"),
        error("spec.targetRef.name", "Ingress/default/web does not exist"),
    ),
    case(
        "a policy of no port",
        policy("{kind: Service, name: web, sectionName: htp}"),
        error("spec.targetRef.sectionName", 'did you mean "http"'),
    ),
    case(
        "a namespace needs no Namespace",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: anywhere}\n",
    ),
]


def policy_to(more: str) -> str:
    return policy(f"{{kind: Service, name: web}}, {more}")


SWARM, BOTH, DOCKER = (node(f"{{platforms: [{names}]}}") for names in ("swarm", "process, swarm", "docker"))
MAY = "does not exist, but the platform swarm may find it: until then "
FOUND = [
    case(
        "a policy of a Service to be found",
        SWARM + policy("{kind: Service, name: blue}"),
        warning("spec.targetRef.name", f"Service/default/blue {MAY}the policy rests"),
    ),
    case(
        "a misspelt one, perhaps",
        BOTH + policy("{kind: Service, name: wep, sectionName: http}"),
        warning("spec.targetRef.name", 'the policy rests; did you mean "web"'),
    ),
    case(
        "an Ingress to it",
        BOTH + to("blue", "{number: 80}"),
        warning(f"{BACKEND}.name", f"Service/default/blue {MAY}its requests are answered with 503"),
    ),
    case(
        "a split to it",
        SWARM + policy_to("split: [{service: blue, weight: 1}]"),
        warning("spec.split[0].service", f"{MAY}what is sent there is answered with 503"),
    ),
    case(
        "a mirror to it",
        SWARM + policy_to("mirror: {service: blue}"),
        warning("spec.mirror.service", "no copy is sent"),
    ),
    case(
        "a policy of no Ingress, which nobody finds",
        SWARM + policy("{kind: Ingress, name: blue}"),
        error("spec.targetRef.name", "does not exist"),
    ),
    case(
        "a policy of a Service that this platform does not make",
        DOCKER + policy("{kind: Service, name: blue}"),
        error("spec.targetRef.name", "does not exist"),
    ),
]


@table(SERVICES + INGRESSES + ENVIRONMENT + REST)
def test_references(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path)


@table(FOUND)
def test_what_a_platform_may_find(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path, {"docker": False, "process": False, "swarm": True})


def test_sections_are_ports_by_name_or_number() -> None:
    http, plain = ServicePort(80, "http"), ServicePort(81)
    web = Service(ObjectMeta("web"), ServiceSpec(ports=(http, plain)))
    assert [port_of_section(web, section) for section in ("http", "80", "81", "82", "")] == [
        http,
        http,
        plain,
        None,
        plain,
    ]


class Counted(dict[ObjectKey, Source]):
    """Counts how often all of it is looked through."""

    walks = 0

    def __iter__(self) -> Iterator[ObjectKey]:
        self.walks += 1
        return super().__iter__()


def test_no_autoscaler_has_all_objects_looked_through() -> None:
    walks = []
    for count in (1, 20):
        found = load_text("---\n".join(scaler(number) for number in range(count)), "test").config_set
        assert len(found.autoscalers) == count
        sources = Counted(found.sources)
        Validation(replace(found, sources=sources), lambda *_: Source("test", 1, 1)).faults()
        walks.append(sources.walks)
    assert walks[0] == walks[1]


def scaler(number: int) -> str:
    spec = f"{{scaleTargetRef: {{kind: SwarmService, name: s{number}}}, maxReplicas: 3}}"
    return f"apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {{name: a{number}}}\nspec: {spec}\n"
