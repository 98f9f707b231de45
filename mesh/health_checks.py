"""Active checks as the data plane sees them: which endpoints are to be checked, and whom the outcome concerns.

Who carries checks out is told what is `wanted` after each table, and tells back what was `concluded`.  Endpoints
that an agent vouches for are not checked again from here; the others are out until a check has found them well,
unless that leaves too few (`mesh.eligibility`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set

from config.balancing import HealthCheckPolicy
from mesh.backend import Backend
from mesh.endpoint_state import vouched
from mesh.proxy_protocol import Version

Check = tuple[str, int, HealthCheckPolicy, Version | None]
"""Address, the endpoint's port, how it is checked, and the PROXY protocol that connections there begin with."""


class HealthChecks:
    def __init__(self) -> None:
        self._concerned: dict[Check, list[Backend]] = {}
        self._conclusions: dict[Check, bool] = {}

    def wanted(self, backends: Iterable[Backend]) -> Set[Check]:
        """The checks of all endpoints of `backends`; what was concluded before holds for new ones too."""
        self._concerned = {}
        for backend in backends:
            for check in _checks(backend):
                self._concerned.setdefault(check, []).append(backend)
        self._conclusions = {check: healthy for check, healthy in self._conclusions.items() if check in self._concerned}
        for check, healthy in self._conclusions.items():
            self._tell(check, healthy)
        return self._concerned.keys()

    def concluded(self, check: Check, healthy: bool) -> None:
        """A check has come to a conclusion, or to another one."""
        if check in self._concerned:
            self._conclusions[check] = healthy
            self._tell(check, healthy)

    def _tell(self, check: Check, healthy: bool) -> None:
        for backend in self._concerned[check]:
            backend.checked(check[:2], healthy)


def _checks(backend: Backend) -> Iterator[Check]:
    policy = backend.plan.health_check
    if policy is not None:
        for endpoint in backend.plan.endpoints:
            if not vouched(endpoint) and (endpoint.ready or backend.plan.publish_not_ready):
                yield endpoint.address, endpoint.port, policy, backend.plan.send_proxy
