"""Fields that Kubernetes knows and Weft does not act on: what is said about them, and when nothing is.

Keys are types of the vocabulary.  Nothing is said about what only the server writes, about empty values, and
about the values that Kubernetes' own defaulting puts there, since ``kubectl get -o yaml`` prints those of every
object.
"""

from __future__ import annotations

from collections.abc import Mapping

EFFECTS: Mapping[str, Mapping[str, str]] = {
    "V1PodSpec": {
        "initContainers": "init containers are not run",
        "ephemeralContainers": "ephemeral containers are not run",
        "volumes": "nothing is mounted; the process sees the file system as it is",
        "nodeSelector": "every replica runs on this node",
        "nodeName": "every replica runs on this node",
        "affinity": "every replica runs on this node",
        "tolerations": "every replica runs on this node",
        "topologySpreadConstraints": "every replica runs on this node",
        "hostNetwork": "a replica keeps an address of its own",
        "hostAliases": "the hosts file is left as it is",
        "dnsConfig": "the resolver is left as it is",
        "dnsPolicy": "the resolver is left as it is",
        "securityContext": "replicas run as the user that runs weft",
        "serviceAccountName": "no token is given to replicas",
        "serviceAccount": "no token is given to replicas",
        "runtimeClassName": "replicas are plain processes",
        "imagePullSecrets": "no image is pulled",
        "shareProcessNamespace": "replicas see all processes of this machine",
        "readinessGates": "only probes decide about readiness",
        "activeDeadlineSeconds": "replicas run without a time limit",
        "enableServiceLinks": "service variables are always set",
        "priorityClassName": "no replica displaces another",
        "resources": "limits are not enforced",
    },
    "V1Container": {
        "volumeMounts": "nothing is mounted; the process sees the file system as it is",
        "volumeDevices": "nothing is mounted",
        "securityContext": "the process runs as the user that runs weft",
        "imagePullPolicy": "no image is pulled",
        "restartPolicy": "a process that ends is always started again",
        "stdin": "standard input is closed",
        "tty": "there is no terminal",
    },
    "V1Lifecycle": {"stopSignal": "the stop signal is SIGTERM, or the image's"},
    "V1LifecycleHandler": {"tcpSocket": "it is not run, nor does Kubernetes"},
    "V1ContainerPort": {
        "hostPort": "the port is reached through a Service only",
        "hostIP": "the port is reached through a Service only",
    },
    "V1EnvVarSource": {
        "resourceFieldRef": "the variable is not set",
        "fileKeyRef": "the variable is not set",
    },
    "V1Endpoint": {
        "deprecatedTopology": "topology does not steer traffic",
    },
    "V1ResourceRequirements": {"claims": "no device is given to replicas"},
}

_SERVER_WRITES = frozenset({"status"})

SILENT: Mapping[str, frozenset[str]] = {
    "V1ObjectMeta": frozenset(
        {
            "deletionGracePeriodSeconds",
            "deletionTimestamp",
            "finalizers",
            "generateName",
            "generation",
            "managedFields",
            "ownerReferences",
            "resourceVersion",
            "selfLink",
            "uid",
            # Of a pod template; other metadata has fields for them.
            "creationTimestamp",
            "name",
            "namespace",
        }
    ),
    "V1ObjectReference": frozenset({"apiVersion", "fieldPath", "resourceVersion", "uid"}),
    "V1ObjectFieldSelector": frozenset({"apiVersion"}),
    "V1Namespace": frozenset({"spec"}),
    "V1Secret": frozenset({"immutable"}),
    "V1ConfigMap": frozenset({"immutable"}),
}

DEFAULTS: Mapping[str, Mapping[str, frozenset[str]]] = {
    "V1PodSpec": {
        "dnsPolicy": frozenset({"ClusterFirst"}),
        "restartPolicy": frozenset({"Always"}),
        "schedulerName": frozenset({"default-scheduler"}),
        "serviceAccount": frozenset({"default"}),
        "serviceAccountName": frozenset({"default"}),
        "enableServiceLinks": frozenset({"true"}),
        "preemptionPolicy": frozenset({"PreemptLowerPriority"}),
    },
    "V1Container": {
        "imagePullPolicy": frozenset({"Always", "IfNotPresent"}),
        "terminationMessagePath": frozenset({"/dev/termination-log"}),
        "terminationMessagePolicy": frozenset({"File"}),
    },
}

_NOTHING = frozenset({"", "false", "0"})


def is_silent(type_name: str, field: str, value: str | None) -> bool:
    """Whether nothing is said about a field that Weft does not use; `value` is None when it is no scalar."""
    if field in _SERVER_WRITES or field in SILENT.get(type_name, ()):
        return True
    return value is not None and (value in _NOTHING or value in DEFAULTS.get(type_name, {}).get(field, ()))


def effect(type_name: str, field: str) -> str:
    """What it means that Weft does not act on the field; empty when nothing behaves differently."""
    return EFFECTS.get(type_name, {}).get(field, "")
