"""All faults of all documents come in one run: none waits for another one to be mended first.

Faults are planted in valid manifests of every kind, all of them at once; then one more field is made unreadable, each
in its turn, and all must still be found but those that rest on it, for which the table says what they rest on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any, NamedTuple

import pytest

from config.configset import KINDS
from config.loader import load_text
from config.unread import steps
from tests.config.test_unread import EVERYTHING, parent_of, places, retype, spread


class Planted(NamedTuple):
    document: str
    path: str
    value: Any
    rests: tuple[str, ...] = ()
    """What the verdict rests on besides, at, above or below: ``KIND/NAME path``, or ``path`` in the same document."""
    found: str = ""
    """Where it is found, if that is elsewhere."""


BOX = "spec.template.spec.containers[0]"
PLANTED = (
    Planted("NodeConfig/laptop", "spec.clusterDomain", "No_Domain"),
    Planted("NodeConfig/laptop", "spec.podCIDR", "127.65.0.1/16"),
    Planted("NodeConfig/laptop", "spec.nodeAddresses[0]", "nowhere"),
    Planted("NodeConfig/laptop", "spec.nodeName", "No Name"),
    Planted("NodeConfig/laptop", "spec.admin", "nowhere"),
    Planted("NodeConfig/laptop", "spec.ingress.http", "nowhere"),
    Planted("NodeConfig/laptop", "spec.dns", "127.0.0.1:99999"),
    Planted("NodeConfig/laptop", "spec.trustedProxies[0]", "10.0.0.1/8"),
    Planted("Namespace/shop", "metadata.labels", {"a b": "c"}, found="metadata.labels[a b]"),
    Planted("Service/web", "spec.ports[0].name", "Not_A_Name"),
    Planted("Service/web", "spec.ports[0].appProtocol", "a b"),
    Planted(
        "Service/web",
        "spec.ports[1].targetPort",
        "nope",
        (
            "spec.ports[1].protocol",
            "spec.selector",
            "Deployment/web spec.template.metadata.labels",
            "Deployment/batch spec.template.metadata.labels",
            *(
                f"Deployment/web spec.template.spec.containers[0].ports[{i}].{field}"
                for i in range(5)
                for field in ("name", "protocol")
            ),
        ),
    ),
    Planted("Service/web", "spec.clusterIP", "nowhere", ("spec.clusterIPs",)),
    Planted("Service/web", "spec.ipFamilies[0]", "IPv5"),
    Planted("Service/web", "spec.ipFamilyPolicy", "Some"),
    Planted("Service/web", "spec.externalTrafficPolicy", "Near"),
    Planted("Service/web", "spec.externalIPs[0]", "0.0.0.0"),
    Planted("Service/web", "spec.sessionAffinity", "Cookie"),
    Planted("Service/web", "spec.sessionAffinityConfig.clientIP.timeoutSeconds", 0),
    Planted("Service/web", "spec.loadBalancerSourceRanges[0]", "10.0.0.1/8"),
    Planted("Service/web", "spec.loadBalancerClass", "a b"),
    Planted("Service/given", "spec.ports[0].nodePort", 40000),
    Planted("Service/outside", "spec.externalName", "no name"),
    Planted("Service/local", "spec.ports[0].port", 70000),
    Planted("EndpointSlice/given-1", "endpoints[0].addresses[0]", "no where", ()),
    Planted("EndpointSlice/given-1", "endpoints[0].hostname", "No.Host"),
    Planted("EndpointSlice/given-1", "ports[1].name", "Not_A_Name"),
    Planted("Endpoints/older", "subsets[0].addresses[0].ip", "nowhere"),
    Planted("Endpoints/older", "subsets[0].addresses[0].hostname", "No.Host"),
    Planted("Endpoints/older", "subsets[0].ports[0].name", "Not_A_Name"),
    Planted("Endpoints/older", "subsets[1].notReadyAddresses[0].ip", "nowhere"),
    Planted("Secret/web-tls", "data", {"a b": "YQ=="}, found="data[a b]"),
    Planted("Secret/login", "stringData", {"no/key": "a"}, found="stringData[no/key]"),
    Planted("ConfigMap/settings", "binaryData.logo", "?"),
    Planted("Deployment/web", "spec.replicas", -1),
    Planted("Deployment/web", "spec.progressDeadlineSeconds", 1, ("spec.minReadySeconds",)),
    Planted("Deployment/web", "spec.strategy.rollingUpdate.maxSurge", "many"),
    Planted("Deployment/web", "spec.selector.matchExpressions[1].operator", "Maybe"),
    Planted("Deployment/web", "spec.template.spec.hostname", "No.Host"),
    Planted("Deployment/web", f"{BOX}.name", "Not_A_Name"),
    Planted("Deployment/web", f"{BOX}.image", " web"),
    Planted("Deployment/web", f"{BOX}.ports[3].containerPort", 70000),
    Planted("Deployment/web", f"{BOX}.env[5].name", "=A"),
    Planted("Deployment/web", f"{BOX}.env[4].valueFrom.fieldRef.fieldPath", "status.nope"),
    Planted(
        "Deployment/web", f"{BOX}.env[0].valueFrom.configMapKeyRef.name", "nope", ("ConfigMap/settings metadata.name",)
    ),
    Planted("Deployment/web", f"{BOX}.envFrom[0].prefix", "=A"),
    Planted("Deployment/web", f"{BOX}.resources.limits.cpu", "much"),
    Planted(
        "Deployment/web",
        f"{BOX}.readinessProbe.httpGet.port",
        "nope",
        tuple(f"{BOX}.ports[{i}].name" for i in range(5)),
    ),
    Planted("Deployment/web", f"{BOX}.readinessProbe.httpGet.httpHeaders[0].name", "a b"),
    Planted("Deployment/web", f"{BOX}.livenessProbe.tcpSocket.port", "Not A Port"),
    Planted("Deployment/web", f"{BOX}.startupProbe.exec.command", [], found=f"{BOX}.startupProbe.exec.command"),
    Planted("IngressClass/weft", "spec.controller", "nobody"),
    Planted("Ingress/front", "spec.ingressClassName", "No Class"),
    Planted(
        "Ingress/front",
        "spec.defaultBackend.service.port.name",
        "nope",
        (
            "spec.defaultBackend.service",
            *(f"Service/web spec.ports[{i}].name" for i in range(3)),
        ),
    ),
    Planted("Ingress/front", "spec.rules[0].host", "127.0.0.1"),
    Planted("Ingress/front", "spec.rules[0].http.paths[0].path", "a"),
    Planted(
        "Ingress/front",
        "spec.rules[0].http.paths[1].backend.service.name",
        "nope",
        ("spec.rules[0].http.paths[1].backend.service",),
    ),
    Planted(
        "Ingress/front",
        "spec.rules[0].http.paths[2].backend.service.port.number",
        81,
        (
            "spec.rules[0].http.paths[2].backend.service",
            "Service/given spec.ports[0].port",
        ),
    ),
    Planted("Ingress/front", "spec.tls[0].hosts[0]", "*"),
    Planted("HorizontalPodAutoscaler/web", "spec.minReplicas", 9, ("spec.maxReplicas",), found="spec.maxReplicas"),
    Planted("HorizontalPodAutoscaler/web", "spec.metrics[0].resource.target.averageUtilization", 0),
    Planted("HorizontalPodAutoscaler/web", "spec.metrics[1].containerResource.target.averageValue", "much"),
    Planted("HorizontalPodAutoscaler/web", "spec.metrics[2].pods.target.averageValue", "-1"),
    Planted("HorizontalPodAutoscaler/web", "spec.metrics[2].pods.metric.name", "a/b"),
    Planted("HorizontalPodAutoscaler/web", "spec.metrics[3].external.metric.name", ".."),
    Planted("HorizontalPodAutoscaler/web", "spec.metrics[3].external.target.value", "much"),
    Planted("HorizontalPodAutoscaler/web", "spec.behavior.scaleUp.tolerance", "-1"),
    Planted("HorizontalPodAutoscaler/batch", "spec.metrics[0].object.describedObject.kind", ""),
    Planted("TrafficPolicy/web", "spec.targetRef.sectionName", "Not A Port"),
    Planted("TrafficPolicy/web", "spec.upgrades[1]", "h2c"),
    Planted("TrafficPolicy/web", "spec.timeouts.connect", "long"),
    Planted("TrafficPolicy/web", "spec.retries.attempts", -1),
    Planted("TrafficPolicy/web-admin", "spec.targetRef.sectionName", "99999"),
    Planted(
        "TrafficPolicy/front", "spec.targetRef.name", "nope", ("spec.targetRef.kind", "Ingress/front metadata.name")
    ),
)
NAMES = [f"{document['kind']}/{document['metadata']['name']}" for document in EVERYTHING]
Place = tuple[str, tuple[str, ...]]
"""Of a document's field."""


def spoilt() -> list[dict[str, Any]]:
    documents = deepcopy(EVERYTHING)
    for planted in PLANTED:
        path = tuple(int(step) if step.isdecimal() else step for step in steps(planted.path))
        document = documents[NAMES.index(planted.document)]
        parent = parent_of(document, path)
        parent[path[-1]] = planted.value
    return documents


def found_in(documents: list[dict[str, Any]]) -> set[tuple[str, str]]:
    text = "\n---\n".join(json.dumps(document) for document in documents)
    return {
        (f"{fault.object.kind}/{fault.object.name}", fault.path)
        for fault in load_text(text, "f").faults
        if fault.severity == "error" and fault.object is not None
    }


def depends(planted: Planted, place: Place) -> bool:
    """Whether what is said of the planted fault may rest on `place`, or be hidden in it."""
    name, path = place
    own = [
        (planted.document, planted.path),
        (planted.document, planted.found),
        (planted.document, "metadata.namespace"),
    ]
    rests = [rest.rpartition(" ") for rest in planted.rests]
    others = [(document or planted.document, at) for document, _, at in rests]
    # What objects in no known namespace, or under no known name, are to others is not known.
    adrift = [(document, f"metadata.{field}") for document, _ in others for field in ("namespace", "name")]
    return any(name == document and at and _is_above(path, steps(at)) for document, at in own) or any(
        name == document and (_is_above(path, steps(at)) or _is_above(steps(at), path))
        for document, at in (*others, *adrift)
    )


def _is_above(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether `one` is `other`, or lies above it."""
    return one == other[: len(one)]


def missing(documents: list[dict[str, Any]], wanted: Iterable[Planted]) -> list[tuple[str, str]]:
    found = found_in(documents)
    return [(each.document, each.path) for each in wanted if (each.document, each.found or each.path) not in found]


def test_all_that_is_planted_is_found_at_once() -> None:
    assert {name.partition("/")[0] for name in {planted.document for planted in PLANTED}} == set(KINDS)
    assert missing(spoilt(), PLANTED) == []


@pytest.mark.parametrize("number", range(len(EVERYTHING)), ids=NAMES)
def test_none_waits_for_another_field_to_be_mended(number: int, size: Callable[[int, int], int]) -> None:
    whole = spoilt()
    everywhere = [
        path for path in places(whole[number]) if path[:2] not in {("metadata", "name"), ("metadata", "namespace")}
    ]
    everywhere = [path for path in everywhere if path != ("metadata",)]
    for path in spread(everywhere, size(2, 1000), number):
        documents = list(whole)
        documents[number] = deepcopy(whole[number])
        retype(parent_of(documents[number], path), path[-1])
        place = NAMES[number], tuple(map(str, path))
        wanted = [planted for planted in PLANTED if not depends(planted, place)]
        assert missing(documents, wanted) == [], place


SERVICE = "v1", "Service", ""
POLICY = "weft.dev/v1", "TrafficPolicy", "targetRef: {kind: Service, name: web}, "
SCALER = "autoscaling/v2", "HorizontalPodAutoscaler", "scaleTargetRef: {kind: Deployment, name: web}, maxReplicas: 2, "
MISSPELT = {
    "nodePort": (SERVICE, "{type: NodePrt, ports: [{port: 80, nodePort: 20}]}", "spec.ports[0].nodePort"),
    "externalName": (SERVICE, "{type: ExternalNam, externalName: no name}", "spec.externalName"),
    "path of a check": (POLICY, "{healthCheck: {type: htpp, path: x}}", "spec.healthCheck.path"),
    "status of a check": (
        POLICY,
        "{healthCheck: {type: htpp, expectedStatus: [x]}}",
        "spec.healthCheck.expectedStatus[0]",
    ),
    "no status": (POLICY, "{healthCheck: {type: htpp, expectedStatus: []}}", "spec.healthCheck.expectedStatus"),
    "boundedLoad": (POLICY, "{balancer: {type: Magelv, boundedLoad: 50}}", "spec.balancer.boundedLoad"),
    "tableSize": (POLICY, "{balancer: {type: Magelv, tableSize: 1000}}", "spec.balancer.tableSize"),
    "decay": (POLICY, "{balancer: {type: PeakEWAM, decay: 0s}}", "spec.balancer.decay"),
    "metric": (
        SCALER,
        "{metrics: [{type: Podz, pods: {metric: {name: a/b}, target: {type: Value}}}]}",
        "spec.metrics[0].pods.metric.name",
    ),
    "target": (
        SCALER,
        "{metrics: [{type: Pods, pods: {metric: {name: a}, target: {type: Averag, averageValue: x}}}]}",
        "spec.metrics[0].pods.target.averageValue",
    ),
}


@pytest.mark.parametrize(("kind", "spec", "path"), MISSPELT.values(), ids=MISSPELT)
def test_a_type_that_is_misspelt_hides_no_value_that_is_wrong_whatever_it_is(
    kind: tuple[str, str, str], spec: str, path: str
) -> None:
    api, name, more = kind
    text = f"apiVersion: {api}\nkind: {name}\nmetadata: {{name: it}}\nspec: {{{more}{spec[1:]}"
    assert path in {fault.path for fault in load_text(text, "f").faults if fault.severity == "error"}
