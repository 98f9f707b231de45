"""What the Ingresses say about TLS (networking.k8s.io/v1 `spec.tls`), compiled: who is shown which certificate.

Of two Ingresses that want different certificates for one host the older one's is shown.  A host whose Secret is
missing or broken gets the default certificate; so does an entry without a Secret.  An entry without hosts is for
all names that nobody else claims.

With ``tls.passthrough`` in a TrafficPolicy of the Ingress its TLS hosts are relayed undecrypted, to the Backend
that the host's shortest path leads to, or its defaultBackend.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from config.configset import ConfigSet
from config.meta import Named
from mesh.attachment import by_target
from mesh.ingress_part import IngressPart
from mesh.rules import Rule
from mesh.table import Route
from mesh.tls.keyring import Kept, Keyring, kept
from mesh.tls.names import Certificate, Passage, ServerNames, Target
from mesh.tls.selfmade import default_certificate
from mesh.x509 import covers


@dataclass(frozen=True, slots=True)
class Termination:
    """All that the served Ingresses come to."""

    names: ServerNames | None = None
    """None: no Ingress asks for TLS."""
    default: Certificate | None = None
    """The one that is made here."""
    keyring: Keyring = field(default_factory=dict)
    problems: Mapping[Named, tuple[str, ...]] = field(default_factory=dict)
    """By Ingress."""
    shown: Mapping[Named, tuple[Certificate, ...]] = field(default_factory=dict)
    """By Ingress: the certificates of its Secrets that are in use."""


NO_TLS: Final = Termination()


def termination_steps(
    config_set: ConfigSet,
    parts: Mapping[Named, IngressPart],
    previous: Termination,
    make_default: Callable[[], Certificate] = default_certificate,
) -> Generator[None, None, Termination]:
    """Of `parts`, the older ones first.  Yields after every Secret.  `make_default` is called once, if at all."""
    if not any(part.verdict.served and part.ingress.spec.tls for part in parts.values()):
        return NO_TLS
    default = previous.default or make_default()
    yield
    policies = by_target("Ingress", config_set.policies)
    keyring: dict[Named, Kept] = {}
    made = _Making(default)
    for name, part in parts.items():
        if not part.verdict.served or not part.ingress.spec.tls:
            continue
        for each in part.ingress.spec.tls:
            secret = Named(name.namespace, each.secret_name)
            if each.secret_name and secret not in keyring:
                keyring[secret] = kept(secret, config_set.secrets, previous.keyring)
                yield
        said = [policy.spec.tls for policy in policies.get(name, ())[:1]]
        made.add(name, part, bool(said and said[0] and said[0].passthrough), keyring)
    return Termination(
        made.names(),
        default,
        keyring,
        {name: tuple(told) for name, told in made.problems.items()},
        {name: tuple(dict.fromkeys(shown)) for name, shown in made.shown.items()},
    )


class _Making:
    """Names as they are claimed, one Ingress after the other."""

    def __init__(self, default: Certificate) -> None:
        self._default = default
        self._claims: dict[str, tuple[str, Target]] = {}
        """Host, empty for all, to its first claimant and what it leads to."""
        self.problems: dict[Named, list[str]] = defaultdict(list)
        self.shown: dict[Named, list[Certificate]] = defaultdict(list)

    def add(self, name: Named, part: IngressPart, passthrough: bool, keyring: Keyring) -> None:
        for i, each in enumerate(part.ingress.spec.tls):
            where = f"spec.tls[{i}]"
            if passthrough:
                for host in each.hosts:
                    self._pass(name, part, host, where)
                continue
            certificate = self._certificate(name, each.secret_name, where, keyring)
            for host in each.hosts or ("",):
                self._claim(name, part, host, certificate, where)

    def _certificate(self, name: Named, secret: str, where: str, keyring: Keyring) -> Certificate:
        """The one of an entry; the default one where it has none that can be used."""
        if not secret:
            return self._default
        held = keyring[Named(name.namespace, secret)]
        if held.problem:
            more = "" if held.certificate else ": its hosts get a certificate that no client trusts"
            self.problems[name].append(f"{where}.secretName: {held.problem}{more}")
        if held.certificate is None:
            return self._default
        self.shown[name].append(held.certificate)
        return held.certificate

    def _pass(self, name: Named, part: IngressPart, host: str, where: str) -> None:
        route = _entry(part, host)
        if route is None:
            self.problems[name].append(f"{where}: no rule and no defaultBackend says where {host} is to be passed to")
        else:
            self._claim(name, part, host, Passage(route.backend, route.filters), where)

    def _claim(self, name: Named, part: IngressPart, host: str, target: Target, where: str) -> None:
        owner, holder = self._claims.setdefault(host, (part.owner, target))
        if holder != target:
            words = "has a certificate" if isinstance(holder, Certificate) else "is passed through"
            self.problems[name].append(f"{where}: {host or 'every other host'} {words} by {owner}, which is older")
        if isinstance(target, Certificate) and target.secret.name and host and not covers(target.names, host):
            secret = target.secret.name
            self.problems[name].append(
                f"{where}: the certificate in Secret {secret} is not for {host} but for {_listed(target.names)}"
            )

    def names(self) -> ServerNames:
        targets = {host: target for host, (_, target) in self._claims.items()}
        return ServerNames(
            exact={host: target for host, target in targets.items() if host and not host.startswith("*")},
            wildcard={host[2:]: target for host, target in targets.items() if host.startswith("*")},
            default=targets.get("", self._default),
        )


def _entry(part: IngressPart, host: str) -> Route | None:
    """Where a connection for `host` goes as a whole: the shortest path's, else the defaultBackend's."""
    rules = sorted(_of(part.rules, host), key=lambda rule: len(rule.path))
    if rules:
        return rules[0].to
    return part.fallback.to if part.fallback else None


def _of(rules: Sequence[Rule[Route]], host: str) -> Iterator[Rule[Route]]:
    wildcard = f"*.{host.partition('.')[2]}"
    for wanted in (host, wildcard, ""):
        found = [rule for rule in rules if rule.host == wanted]
        if found:
            yield from found
            return


def _listed(names: tuple[str, ...]) -> str:
    return (", ".join(names[:3]) + (", ..." if len(names) > 3 else "")) or "no name at all"
