"""What a TrafficPolicy's `scaling` sets the number of: a Deployment that is there.

On a node that follows a registry nothing is said of it: the registry, which scales, knows the Deployments of all nodes.
"""

from __future__ import annotations

from config.meta import Named, ObjectKey
from config.naming import shown
from config.policies import TrafficPolicy
from config.validation.index import Index, words_for_missing
from config.validation.report import ObjectReport

NOTHING = ": nothing is scaled"


def check_scaled(policy: TrafficPolicy, index: Index, report: ObjectReport) -> None:
    """All but `scaling` is carried out whatever is found."""
    scaling, target, namespace = policy.spec.scaling, policy.spec.target_ref, report.key.namespace
    if scaling is None or target.kind != "Service" or index.config_set.node.registry.servers:
        return
    if (named := scaling.scale_target_ref) is not None:
        key, deployments = ObjectKey("Deployment", namespace, named.name), index.config_set.deployments
        if named.kind == "Deployment" and index.is_missing(key, deployments):
            path = "spec.scaling.scaleTargetRef"
            report.shortcoming(f"{path}.name", words_for_missing(key, deployments, NOTHING), f"{path}.kind")
        return
    service = index.config_set.services.get(Named(namespace, target.name))
    if service is None or not report.knows_of(ObjectKey("Service", namespace, target.name), "spec.selector"):
        return
    if index.knows_pods(namespace) and not index.selected(namespace, service.spec.selector):
        words = f"Service {shown(target.name)} selects no Deployment; say with scaleTargetRef what is to be scaled"
        report.warning("spec.scaling", f"has no effect: {words}", "spec.targetRef", "spec.scaling.scaleTargetRef")
