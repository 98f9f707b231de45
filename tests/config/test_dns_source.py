from __future__ import annotations

import pytest

from config.dns_source import DNSSource, dns_source, is_from_dns, problems, tsig_key
from config.meta import Named, ObjectMeta
from config.resources.core import Secret, Service, ServicePort, ServiceSpec
from config.tsig import TsigKey

PLAIN = DNSSource("web.example.com", "A", (), (), "", sample=False)


def service(annotations: dict[str, str], **spec: object) -> Service:
    full = {f"weft.dev/dns{key}": value for key, value in annotations.items()}
    return Service(metadata=ObjectMeta("web", "default", annotations=full), spec=ServiceSpec(**spec))  # type: ignore[arg-type]


RIGHT: dict[str, tuple[dict[str, str], DNSSource | None]] = {
    "nothing": ({}, None),
    "a name": ({"": "web.example.com"}, PLAIN),
    "a name of SRV records": ({"": "_http._tcp.web"}, DNSSource("_http._tcp.web", "SRV", (), (), "", sample=False)),
    "everything": (
        {
            "": "web", "-type": "SRV", "-servers": "10.0.0.1, [::1]:5353 127.0.0.1:8600",
            "-search": "a.example, b.example", "-tsig": "key", "-answers": "sample",
        },
        DNSSource(
            "web", "SRV", (("10.0.0.1", 53), ("::1", 5353), ("127.0.0.1", 8600)), ("a.example", "b.example"), "key",
            sample=True,
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", RIGHT)
def test_what_annotations_say(case: str) -> None:
    annotations, expected = RIGHT[case]
    made = service(annotations)
    assert dns_source(made) == expected
    assert is_from_dns(made) == (expected is not None)


WRONG: dict[str, tuple[dict[str, str], dict[str, object], str, str]] = {
    "no name": ({"-type": "A"}, {}, "-type", "has no meaning"),
    "a selector": ({"": "web"}, {"selector": {"app": "web"}}, "", "without a selector"),
    "another name already": ({"": "web"}, {"type": "ExternalName", "external_name": "x"}, "", "ExternalName"),
    "an empty label": ({"": "a..b"}, {}, "", "is not a DNS name"),
    "a name that is too long": ({"": "a." * 200}, {}, "", "is not a DNS name"),
    "another type": ({"": "web", "-type": "MX"}, {}, "-type", "neither A nor SRV"),
    "other answers": ({"": "web", "-answers": "some"}, {}, "-answers", "neither all nor sample"),
    "a server by name": ({"": "web", "-servers": "10.0.0.1, dns.example"}, {}, "-servers", "HOST:PORT"),
    "a domain that is none": ({"": "web", "-search": "a..b"}, {}, "-search", "is not a DNS name"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong(case: str) -> None:
    annotations, spec, key, words = WRONG[case]
    made = service(annotations, **spec)
    [(where, message)] = problems(made)
    assert where == f"weft.dev/dns{key}"
    assert words in message
    with pytest.raises(ValueError, match=r".+"):
        dns_source(made)


def test_the_name_for_a_port() -> None:
    source = DNSSource("_{port}._{protocol}.web", "SRV", (), (), "", sample=False)
    assert source.name_for(ServicePort(port=53, name="dns", protocol="UDP")) == "_dns._udp.web"
    assert source.name_for(ServicePort(port=53)) == "_53._tcp.web"


KEYS: dict[str, tuple[dict[str, str] | None, TsigKey | str]] = {
    "complete": (
        {"name": "weft", "secret": "c2VjcmV0\n", "algorithm": "HMAC-SHA512"},
        TsigKey("weft", "hmac-sha512", "c2VjcmV0"),
    ),
    "the usual algorithm": ({"name": "weft", "secret": "c2VjcmV0"}, TsigKey("weft", "hmac-sha256", "c2VjcmV0")),
    "no such Secret": (None, "there is no Secret"),
    "no key in it": ({"name": "weft"}, "needs the keys name and secret"),
    "an algorithm that nobody should use": ({"name": "w", "secret": "c2Vj", "algorithm": "hmac-md5"}, "is none of"),
}


@pytest.mark.parametrize("case", KEYS)
def test_keys(case: str) -> None:
    values, expected = KEYS[case]
    source = DNSSource("web", "A", (), (), "key", sample=False)
    secret = Secret(metadata=ObjectMeta("key", "default"), string_data=values or {})
    secrets = {Named("default", "key"): secret} if values is not None else {}
    if isinstance(expected, str):
        with pytest.raises(ValueError, match=expected):
            tsig_key(source, "default", secrets)
    else:
        assert tsig_key(source, "default", secrets) == expected
    assert tsig_key(PLAIN, "default", secrets) is None
