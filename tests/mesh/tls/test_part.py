"""What Ingresses say about TLS, compiled: who is shown what, whose it is, and what cannot be had."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from config.configset import ConfigSet
from config.filters import AccessPolicy, TLSPolicy
from config.meta import Named, ObjectKey, ObjectMeta
from config.policies import TargetRef, TrafficPolicy, TrafficPolicySpec
from config.resources.core import Secret, ServicePort
from config.resources.networking import Ingress, IngressTLS
from config.settings import IngressAddresses, NodeConfigSpec
from mesh.compiler import Compiled, compile  # noqa: A004 - the word for it
from mesh.entrance import UNMET_SECURELY
from mesh.live import Live
from mesh.status import ObjectStatus
from mesh.table import ListenerKey
from mesh.tls.names import Certificate, Passage, ServerNames
from tests.certificates import authority, pair
from tests.mesh.making import Clock, config, ingress, ingress_class, service, snapshot

DOOR = ListenerKey("127.0.0.1", 8443)
SHOP, OTHER = service("shop"), service("other", cluster_ip="127.96.0.2")
SECRETS = {name: pair(*names).secret(name) for name, names in {
    "one": ("a.example", "b.example"), "two": ("a.example",), "wild": ("*.wild.example",),
}.items()}  # fmt: skip
UNTRUSTED = ": its hosts get a certificate that no client trusts"


def secured(
    name: str, *tls: tuple[str, ...], rules: tuple[str, ...] = ("Prefix / -> shop:80",), **more: Any
) -> Ingress:
    """An Ingress whose TLS entries are a Secret, or nothing, and hosts."""
    entries = tuple(IngressTLS(tuple(hosts), secret) for secret, *hosts in tls)
    return ingress(name, *rules, tls=entries, **more)


def passing(name: str) -> TrafficPolicy:
    spec = TrafficPolicySpec(TargetRef("Ingress", name), tls=TLSPolicy(passthrough=True))
    return TrafficPolicy(ObjectMeta(name, "default"), spec)


def written(*objects: Any, secrets: dict[str, Secret] | None = None) -> ConfigSet:
    there = SECRETS if secrets is None else secrets
    return replace(config(SHOP, OTHER, *objects), secrets={Named("default", name): s for name, s in there.items()})


def compiled(config_set: ConfigSet, previous: Compiled | None = None, live: Live | None = None) -> Compiled:
    return compile(config_set, snapshot(), previous, live or Live(Clock()))


def names(made: Compiled) -> ServerNames:
    found = made.table.listeners[DOOR].tls
    assert found is not None
    return found


def led_to(made: Compiled, host: str) -> str:
    """The Secret that is shown, ``default`` for the one made here, or the Backend."""
    target = names(made).match(host)
    assert target is not None
    return target.secret.name or "default" if isinstance(target, Certificate) else str(target.backend.key)


def status(made: Compiled, name: str) -> ObjectStatus:
    return made.statuses[ObjectKey("Ingress", "default", name)]


def test_who_is_passed_through_is_let_in_as_the_policies_say() -> None:
    direct = passing("i")
    direct = replace(direct, spec=replace(direct.spec, access=AccessPolicy(deny=("192.0.2.0/24",))))
    passage = names(compiled(written(secured("i", ("", "p.example")), direct))).match("p.example")
    assert isinstance(passage, Passage)
    assert passage.filters is not None
    assert [passage.filters.admits(client) for client in ("192.0.2.1", "192.0.3.1")] == [False, True]


def test_two_that_pass_one_host_to_one_port_agree() -> None:
    two = secured("i", ("", "p.example")), secured("j", ("", "p.example"))
    made = compiled(written(*two, passing("i"), passing("j")))
    assert not [reason for reason in status(made, "j").reasons if reason.startswith("spec.tls")]


def test_without_tls_nothing_listens() -> None:
    made = compiled(written(ingress("i", "Prefix / -> shop:80")))
    assert DOOR not in made.table.listeners
    assert UNMET_SECURELY not in made.backends


def test_an_ingress_that_is_not_ours_asks_for_nothing() -> None:
    theirs = secured("i", ("one", "a.example"), ingress_class_name="nginx")
    ours = ingress("j", "Prefix / -> shop:80")
    assert DOOR not in compiled(written(theirs, ours, ingress_class("nginx", "k8s.io/ingress-nginx"))).table.listeners


def test_the_listener_is_like_the_plain_one() -> None:
    node = NodeConfigSpec(ingress=IngressAddresses(https="[::1]:9443"))
    made = compiled(replace(written(secured("i", ("one", "a.example"))), node=node))
    plain, secure = made.table.listeners[ListenerKey("127.0.0.1", 8080)], made.table.listeners[ListenerKey("::1", 9443)]
    assert (secure.protocol, secure.entry, secure.routes) == ("https", "Ingress", plain.routes)
    assert made.backends[UNMET_SECURELY] is secure.route.backend
    assert plain.tls is None


CASES: dict[str, tuple[list[Any], dict[str, str]]] = {
    "by host": (
        [secured("i", ("one", "b.example"), ("wild", "*.wild.example"))],
        {"b.example": "one", "x.wild.example": "wild", "y.x.wild.example": "default", "a.example": "default"},
    ),
    "for all": ([secured("i", ("one",), ("two", "a.example"))], {"a.example": "two", "x": "one", "": "one"}),
    "without a Secret": ([secured("i", ("", "a.example"))], {"a.example": "default", "x": "default"}),
    "the older wins": (
        [
            secured("new", ("one", "a.example", "b.example"), created="2026-02-01T00:00:00Z"),
            secured("old", ("two", "a.example"), created="2026-01-01T00:00:00Z"),
        ],
        {"a.example": "two", "b.example": "one"},
    ),
    "passed through": (
        [
            secured("i", ("", "p.example"), rules=("Prefix p.example/x -> shop:80", "Prefix p.example/ -> other:80")),
            secured("j", ("one", "a.example")),
            passing("i"),
        ],
        {"p.example": "default/other:http", "a.example": "one"},
    ),
    "passed through by a wildcard rule": (
        [secured("i", ("", "p.example"), rules=("Prefix *.example/ -> other:80",)), passing("i")],
        {"p.example": "default/other:http"},
    ),
    "passed through by default": (
        [secured("i", ("", "p.example"), rules=(), default="other:80"), passing("i")],
        {"p.example": "default/other:http"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_who_is_shown_what(case: str) -> None:
    objects, expected = CASES[case]
    made = compiled(written(*objects))
    assert {host: led_to(made, host) for host in expected} == expected


def test_a_good_one_is_accepted_and_tells_what_it_shows() -> None:
    told = status(compiled(written(secured("i", ("one", "a.example"), ("one", "b.example")))), "i")
    assert (told.state, told.reasons) == ("accepted", ())
    assert [(each.secret, each.names) for each in told.certificates] == [("one", ("a.example", "b.example"))]
    assert [(port.protocol, *map(str, port.listens)) for port in told.ports] == [
        ("http", "127.0.0.1:8080"),
        ("https", "127.0.0.1:8443"),
    ]


PROBLEMS: dict[str, tuple[list[Any], dict[str, Secret], tuple[str, ...]]] = {
    "no Secret": (
        [secured("i", ("gone", "a.example"), ("one", "b.example"))], SECRETS,
        (f"spec.tls[0].secretName: there is no Secret gone{UNTRUSTED}",),
    ),
    "a broken Secret": (
        [secured("i", ("one", "a.example"))],
        {"one": replace(SECRETS["one"], string_data={"tls.crt": "x", "tls.key": "y"})},
        (f"spec.tls[0].secretName: Secret one: tls.crt holds no certificate (-----BEGIN CERTIFICATE-----){UNTRUSTED}",),
    ),
    "not for the host": (
        [secured("i", ("one", "c.example"))], SECRETS,
        ("spec.tls[0]: the certificate in Secret one is not for c.example but for a.example, b.example",),
    ),
    "taken": (
        [secured("a", ("two", "a.example")), secured("i", ("one", "a.example"), rules=("Prefix b/ -> shop:80",))],
        SECRETS,
        ("spec.tls[0]: a.example has a certificate by Ingress default/a, which is older",),
    ),
    "passed to nowhere": (
        [secured("i", ("", "p.example"), rules=("Prefix q.other/ -> shop:80",)), passing("i")], SECRETS,
        ("spec.tls[0]: no rule and no defaultBackend says where p.example is to be passed to",),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", PROBLEMS)
def test_problems_are_told_and_disable_nothing_else(case: str) -> None:
    objects, secrets, reasons = PROBLEMS[case]
    made = compiled(written(*objects, secrets=secrets))
    told = status(made, "i")
    assert (told.state, tuple(each for each in told.reasons if each.startswith("spec.tls"))) == ("degraded", reasons)
    if case == "no Secret":
        assert (led_to(made, "a.example"), led_to(made, "b.example")) == ("default", "one")


def test_an_address_that_a_service_has() -> None:
    door = service("door", ServicePort(8443), cluster_ip="127.0.0.1")
    made = compiled(written(door, secured("i", ("one", "a.example"))))
    assert made.table.listeners[DOOR].tls is None
    told = status(made, "i")
    assert [port.port for port in told.ports] == ["http"]
    assert told.reasons == (
        "spec.tls: 127.0.0.1:8443 belongs to Service default/door: "
        "give Ingresses another address, NodeConfig spec.ingress.https",
    )


def test_one_address_for_both() -> None:
    node = NodeConfigSpec(ingress=IngressAddresses(https="127.0.0.1:8080"))
    told = status(compiled(replace(written(secured("i", ("one", "a.example"))), node=node)), "i")
    assert told.reasons[0].startswith("spec.tls: 127.0.0.1:8080 belongs to spec.ingress.http")


def test_what_did_not_change_stays() -> None:
    live = Live(Clock())
    first = written(secured("i", ("one", "a.example")), secured("j", ("two", "x.example")))
    before = compiled(first, live=live)
    live.replace(before.backends)
    renewed = authority().sign("a.example").secret("two")
    after = compiled(replace(first, secrets={**first.secrets, Named("default", "two"): renewed}), before, live)
    assert names(after).match("a.example") is names(before).match("a.example")
    assert names(after).match("") is names(before).match("")
    assert names(after).match("x.example") is not names(before).match("x.example")
    again = compiled(replace(first, secrets=dict(after.config_set.secrets)), after, live)
    assert again.table.listeners[DOOR] is after.table.listeners[DOOR]
