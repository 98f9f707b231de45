"""Who may come in: networks that are allowed, networks that are denied."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

from config.filters import AccessPolicy
from mesh.filters.query import Query, Reply
from mesh.reasons import DENIED

REMEMBERED: Final = 1024
"""Addresses whose verdict is remembered; one more, and all are forgotten."""


class Access:
    """`deny` wins; with an `allow` list all others are denied."""

    __slots__ = ("_allow", "_deny", "_known")

    def __init__(self, policy: AccessPolicy) -> None:
        """Raises ValueError."""
        self._allow = [ip_network(text) for text in policy.allow]
        self._deny = [ip_network(text) for text in policy.deny]
        self._known: dict[str, bool] = {}

    def __call__(self, query: Query) -> Reply | None:
        return None if self.admits(query.client) else Reply(DENIED)

    def admits(self, client: str) -> bool:
        """Whether this address may come in; one that cannot be read may only where nothing is listed."""
        verdict = self._known.get(client)
        if verdict is None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            verdict = self._known[client] = self._judge(client)
        return verdict

    def _judge(self, client: str) -> bool:
        try:
            address = ip_address(client.partition("%")[0])
        except ValueError:
            return not (self._allow or self._deny)
        address = getattr(address, "ipv4_mapped", None) or address

        def within(networks: list[IPv4Network | IPv6Network]) -> bool:
            return any(address in network for network in networks)

        return not within(self._deny) and (not self._allow or within(self._allow))
