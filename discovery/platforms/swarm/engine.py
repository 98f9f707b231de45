"""The connection to an engine that is part of a swarm: what that of a plain one lacks.

Only managers answer for services and tasks.  A host cannot dial into overlay networks; what it can dial is the address
that each task has on the bridge ``docker_gwbridge``, which the engine tells with that network, not with the container.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from discovery.platforms.docker.engine import Connection, EngineError, NotThere, bounded
from discovery.platforms.docker.labels import SWARM_TASK
from discovery.platforms.swarm.listing import TASK_STATES, Listing, listing

GATEWAY: Final = "docker_gwbridge"
MANAGER: Final = "manager"
WORKER: Final = "worker"
NO_SWARM: Final = "none"
TRIES: Final = 10
"""Of an update, while others are faster."""


class SwarmConnection(Connection):
    """A client of one engine; `close` is owed.  Needs a running event loop."""

    async def inspect(self, container: str) -> Mapping[str, Any]:
        """See `Connection.inspect`; a task's address on the gateway's bridge is among those of its networks."""
        answer = dict(await super().inspect(container))
        if SWARM_TASK not in ((answer.get("Config") or {}).get("Labels") or {}):
            return answer
        networks = dict((answer.get("NetworkSettings") or {}).get("Networks") or {})
        if address := (await self._gateways()).get(container):
            networks[GATEWAY] = {"IPAddress": address}
        return answer | {"NetworkSettings": {"Networks": networks}}

    async def _gateways(self) -> dict[str, str]:
        """Addresses by container; none where there is no such bridge."""
        try:
            async with bounded():
                there = (await (await self._docker.networks.get(GATEWAY)).show()).get("Containers") or {}
                return {name: each["IPv4Address"].partition("/")[0] for name, each in there.items()}
        except NotThere:
            return {}

    async def role(self) -> str:
        """`MANAGER` or `WORKER` of a swarm, or `NO_SWARM`."""
        async with bounded():
            swarm = (await self._docker.system.info()).get("Swarm") or {}
        if swarm.get("ControlAvailable"):
            return MANAGER
        return NO_SWARM if swarm.get("LocalNodeState", "inactive") == "inactive" else WORKER

    async def listing(self) -> Listing:
        """What the swarm has now.  The services are asked for first: a task's is there then."""
        async with bounded():
            services = await self._read("services")
            tasks = await self._read("tasks", filters=json.dumps({"desired-state": TASK_STATES}))
            return listing(services, tasks)

    async def _read(self, path: str, **params: str) -> bytes:
        """An answer as it came: of a large swarm the library would make objects for far too long."""
        async with self._docker._query(path, params=params) as answer:
            return bytes(await answer.read())

    async def scale(self, service: str, replicas: int) -> None:
        """Have a service be of that size, whoever else changes it meanwhile.  Raises NotThere."""
        for _ in range(TRIES):
            async with bounded():
                found = await self._docker.services.inspect(service)
                spec = found["Spec"]
                if "Replicated" not in spec["Mode"]:
                    raise EngineError(f"service {spec['Name']} has no number of replicas: its mode is another one")
                spec["Mode"]["Replicated"]["Replicas"] = replicas
                params = {"version": str(found["Version"]["Index"])}
            if await self._update(service, params, spec):
                return
        raise EngineError(f"others changed service {service} {TRIES} times meanwhile: try again later")

    async def _update(self, service: str, params: Mapping[str, str], spec: Mapping[str, Any]) -> bool:
        """Whether the specification that was read is still the one in force, so that this could replace it."""
        try:
            async with bounded():
                path = f"services/{service}/update"  # by the library's own ways not all of a specification can be sent
                await self._docker._query_json(path, method="POST", params=params, data=json.dumps(spec))
        except EngineError as error:
            if "out of sequence" in str(error):
                return False
            raise
        return True

    async def hear_of_services(self, since: str, hurry: Callable[[], None]) -> None:
        """Call `hurry` after each event of a service; returns when the engine ends that."""
        filters = json.dumps({"type": ["service"]})
        await self.listen(since, filters, lambda _: hurry())
