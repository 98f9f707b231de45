"""Secrets and ConfigMaps: keys, base64, sizes, types; values never appear in messages."""

from __future__ import annotations

import base64
from pathlib import Path

from tests.certificates import authority, pair
from tests.config.validating import Case, case, check, document, error, faults_of, table, warning

PEM = base64.b64encode(b"-----BEGIN CERTIFICATE-----\n").decode()
PAIR, OTHER = pair("shop.example"), authority().sign("shop.example")
CERTIFICATE, KEY, OTHER_KEY, NONSENSE = (
    base64.b64encode(each).decode()
    for each in (
        PAIR.certificate, PAIR.key, OTHER.key, b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    )
)  # fmt: skip


def secret(body: str, kind: str = "Opaque") -> str:
    return document("Secret", f"type: {kind}\n{body}")


CASES = [
    case("Opaque", secret("data: {a: aGk=}\nstringData: {b: hi}")),
    case("base64 over lines", secret('data: {a: "aGk\\n="}')),
    case("no base64", secret("data: {a: hi there}"), error("data.a", "stringData")),
    case("a key", secret("data: {'a b': aGk=}"), error("data[a b]", "key of data")),
    case("a key that leads up", secret("stringData: {..a: x}"), error("stringData[..a]", "key of data")),
    case("tls", secret(f"data: {{tls.crt: {CERTIFICATE}, tls.key: {KEY}}}", "kubernetes.io/tls")),
    case(
        "tls whose key is another's",
        secret(f"data: {{tls.crt: {CERTIFICATE}, tls.key: {OTHER_KEY}}}", "kubernetes.io/tls"),
        warning("data[tls.key]", "does not belong to the first certificate"),
    ),
    case(
        "tls whose certificate is nonsense",
        secret(f"data: {{tls.crt: {NONSENSE}, tls.key: {KEY}}}", "kubernetes.io/tls"),
        warning("data[tls.crt]", "cannot be read"),
    ),
    case("a pair that is not for TLS", secret(f"data: {{tls.crt: {CERTIFICATE}, tls.key: {OTHER_KEY}}}")),
    case(
        "tls without a key",
        secret(f"data: {{tls.crt: {PEM}}}", "kubernetes.io/tls"),
        error("data", 'the key "tls.key"'),
    ),
    case(
        "tls without PEM",
        secret(f"data: {{tls.crt: {PEM}}}\nstringData: {{tls.key: secret}}", "kubernetes.io/tls"),
        warning("stringData[tls.key]", "PEM"),
    ),
    case(
        "tls that is no base64",
        secret(f"data: {{tls.crt: {PEM}, tls.key: '?'}}", "kubernetes.io/tls"),
        error("data[tls.key]", "base64"),
    ),
    case("docker", secret("stringData: {.dockerconfigjson: '{}'}", "kubernetes.io/dockerconfigjson")),
    case(
        "docker without JSON",
        secret("stringData: {.dockerconfigjson: '{'}", "kubernetes.io/dockerconfigjson"),
        error("stringData[.dockerconfigjson]", "JSON"),
    ),
    case("docker of old", secret("data: {}", "kubernetes.io/dockercfg"), error("data", ".dockercfg")),
    case("ssh", secret("data: {}", "kubernetes.io/ssh-auth"), error("data", "ssh-privatekey")),
    case("basic auth", secret("stringData: {password: x}", "kubernetes.io/basic-auth")),
    case(
        "basic auth with nothing",
        secret("data: {}", "kubernetes.io/basic-auth"),
        error("data", "'username' or 'password'"),
    ),
    case("a type of one's own", secret("data: {}", "example.com/any")),
    case("too large", secret(f"stringData: {{a: {'x' * 1048577}}}"), error("data", "at most 1048576")),
    case("ConfigMap", document("ConfigMap", "data: {a: hi}\nbinaryData: {b: aGk=}")),
    case(
        "ConfigMap, a key twice",
        document("ConfigMap", "data: {a: hi}\nbinaryData: {a: aGk=}"),
        error("binaryData.a", "keep one"),
    ),
    case(
        "ConfigMap, no base64", document("ConfigMap", "binaryData: {a: '?'}"), error("binaryData.a", "move it to data")
    ),
    case("ConfigMap, a key", document("ConfigMap", "data: {'a/b': hi}"), error("data[a/b]", "key of data")),
]


@table(CASES)
def test_secrets(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path)


def test_no_message_tells_a_secret(tmp_path: Path) -> None:
    faults = faults_of(
        secret("data: {tls.crt: hunter2-}\nstringData: {tls.key: hunter2}", "kubernetes.io/tls"), tmp_path
    )
    assert len(faults) == 2
    assert "hunter2" not in " ".join(map(str, faults))


def test_no_message_tells_a_number_that_was_meant_as_text(tmp_path: Path) -> None:
    faults = faults_of(secret("data: {a: 20031987}\nstringData: {b: 20031987, c: 2003.1987}"), tmp_path)
    assert len(faults) == 3
    assert "1987" not in " ".join(map(str, faults))
