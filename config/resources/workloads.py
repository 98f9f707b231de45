"""Group apps/v1: Deployment and the pod template it stamps out."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from config.meta import Confidential, IntOrString, LabelSelector, ObjectMeta, Port, Quantity, Spec

Seconds = Annotated[int, Meta(ge=1, le=2**31 - 1)]
NonNegative = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class HTTPHeader(Spec):
    name: str
    value: Confidential = ""


class HTTPGetAction(Spec):
    port: IntOrString
    path: str = "/"
    host: str = ""
    scheme: Literal["HTTP", "HTTPS"] = "HTTP"
    http_headers: tuple[HTTPHeader, ...] = ()


class TCPSocketAction(Spec):
    port: IntOrString
    host: str = ""


class ExecAction(Spec):
    command: tuple[str, ...] = ()


class GRPCAction(Spec):
    port: Port
    service: str = ""


class Probe(Spec):
    """Exactly one of the four actions is set; times in seconds."""

    http_get: HTTPGetAction | None = None
    tcp_socket: TCPSocketAction | None = None
    exec: ExecAction | None = None
    grpc: GRPCAction | None = None
    initial_delay_seconds: NonNegative = 0
    period_seconds: Seconds = 10
    timeout_seconds: Seconds = 1
    success_threshold: Seconds = 1
    failure_threshold: Seconds = 3
    termination_grace_period_seconds: Seconds | None = None


class SleepAction(Spec):
    seconds: NonNegative


class LifecycleHandler(Spec):
    """Exactly one of the three actions is set."""

    exec: ExecAction | None = None
    http_get: HTTPGetAction | None = None
    sleep: SleepAction | None = None


class Lifecycle(Spec):
    pre_stop: LifecycleHandler | None = None
    post_start: LifecycleHandler | None = None


class ContainerPort(Spec):
    container_port: Port
    name: str = ""
    protocol: Literal["TCP", "UDP", "SCTP"] = "TCP"


class KeySelector(Spec):
    """configMapKeyRef and secretKeyRef."""

    key: str
    name: str = ""
    optional: bool = False


class FieldSelector(Spec):
    field_path: str


class EnvVarSource(Spec):
    config_map_key_ref: KeySelector | None = None
    secret_key_ref: KeySelector | None = None
    field_ref: FieldSelector | None = None


class EnvVar(Spec):
    name: str
    value: Confidential = ""
    value_from: EnvVarSource | None = None


class EnvSource(Spec):
    name: str = ""
    optional: bool = False


class EnvFromSource(Spec):
    prefix: str = ""
    config_map_ref: EnvSource | None = None
    secret_ref: EnvSource | None = None


class ResourceRequirements(Spec):
    """Quantities as text (``100m``, ``128Mi``); see `config.quantity`."""

    requests: dict[str, Quantity] = {}
    limits: dict[str, Quantity] = {}


class Container(Spec):
    name: str
    image: str = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: str = ""
    ports: tuple[ContainerPort, ...] = ()
    env: tuple[EnvVar, ...] = ()
    env_from: tuple[EnvFromSource, ...] = ()
    resources: ResourceRequirements = ResourceRequirements()
    readiness_probe: Probe | None = None
    liveness_probe: Probe | None = None
    startup_probe: Probe | None = None
    lifecycle: Lifecycle | None = None


class PodSpec(Spec):
    containers: tuple[Container, ...]
    termination_grace_period_seconds: NonNegative = 30
    hostname: str = ""
    subdomain: str = ""


class PodMetadata(Spec):
    """Metadata of a pod template, which has no name of its own."""

    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class PodTemplate(Spec):
    spec: PodSpec
    metadata: PodMetadata = PodMetadata()


class RollingUpdate(Spec):
    max_surge: IntOrString = "25%"
    max_unavailable: IntOrString = "25%"


class DeploymentStrategy(Spec):
    type: Literal["RollingUpdate", "Recreate"] = "RollingUpdate"
    rolling_update: RollingUpdate = RollingUpdate()


class DeploymentSpec(Spec):
    selector: LabelSelector
    template: PodTemplate
    replicas: NonNegative = 1
    strategy: DeploymentStrategy = DeploymentStrategy()
    min_ready_seconds: NonNegative = 0
    progress_deadline_seconds: NonNegative = 600
    revision_history_limit: NonNegative = 10
    paused: bool = False


class Deployment(Spec):
    metadata: ObjectMeta
    spec: DeploymentSpec
