"""What nodes are told of autoscalers, worked out anew only when something that it is made of has changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice

from msgspec.structs import replace

from config.configset import ConfigSet
from config.meta import Named
from discovery.endpoint import WorkloadRef
from discovery.platforms.swarm.labels import key_of, named_in
from sidecar.autoscaling import Autoscaling, Scaled
from sidecar.channel.messages import MOST_LABELS, MOST_RUNS, Autoscaled, Wanted
from sidecar.channel.nodes import Nodes
from sidecar.channel.scaling import name_of


class Telling:
    """Has `nodes` know who is scaled by `autoscaling`, whenever it is to `look`."""

    def __init__(self, autoscaling: Autoscaling, nodes: Nodes, config_set: Callable[[], ConfigSet]) -> None:
        """`config_set` gives what is in force."""
        self._autoscaling = autoscaling
        self._nodes = nodes
        self._config_set = config_set
        self._told: ConfigSet | None = None
        self._basis: tuple[object, ...] = ()
        """What was told was made of that, and of this."""
        self._sized: tuple[WorkloadRef, ...] = ()
        """Those whose size only managers of a swarm know, as they sleep."""

    async def look(self, standby: str, *, incomplete: bool) -> None:
        """Tell what is new.  `standby`: why another registry acts; `incomplete`: there may be more autoscalers."""
        config_set, autoscaling = self._config_set(), self._autoscaling
        sizes = {each: await autoscaling.size(each) for each in self._sized}
        basis = autoscaling.generation, standby, incomplete, sizes
        if autoscaling.stopped or (config_set is self._told and basis == self._basis):  # it may stop while it is asked
            return
        targets = sorted(autoscaling.targets().items(), key=lambda each: name_of(each[0]))[:MOST_RUNS]
        self._sized = tuple(each for each, scaled in targets if scaled.sleeps and each.kind != "Deployment")
        sizes = {each: await autoscaling.size(each) for each in self._sized}
        self._told, self._basis = config_set, (*basis[:3], sizes)
        named = named_in(config_set)
        wanted = [_wanted(*each, config_set, named, sizes) for each in targets]
        self._nodes.define(Autoscaled(tuple(wanted), incomplete))


def _wanted(
    workload: WorkloadRef,
    scaled: Scaled,
    config_set: ConfigSet,
    named: Mapping[str, Named],
    sizes: Mapping[WorkloadRef, int | None],
) -> Wanted:
    """What nodes cannot know of one that sleeps: labels of pods, or which Services labels name (`named`), and sizes."""
    name = Named(*workload[1:])
    said = Wanted(name_of(workload), scaled.sleeps, measured=scaled.measured)
    if not scaled.sleeps:
        return said
    if workload.kind == "Deployment":
        written = config_set.deployments.get(name)
        labels = written.spec.template.metadata.labels if written is not None else {}
        return replace(said, labels=dict(islice(labels.items(), MOST_LABELS)))
    service = named.get(key_of(name), name)
    return replace(said, services=(f"{service.namespace}/{service.name}",), size=sizes[workload])
