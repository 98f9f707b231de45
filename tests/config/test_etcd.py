"""How etcd is reached: endpoints, and what Secrets must hold."""

from __future__ import annotations

import pytest

from config.etcd import EtcdAccess, parse_endpoint, read_access
from config.meta import Named, ObjectMeta
from config.resources.core import Secret
from config.settings import EtcdSettings


@pytest.mark.parametrize("text", ["http://127.0.0.1:2379", "https://etcd-1.example:2379", "http://[::1]:2379"])
def test_endpoints(text: str) -> None:
    assert parse_endpoint(text) == parse_endpoint(f"{text}/") == text


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1:2379",
        "ftp://a:1",
        "http://a",
        "http://:1",
        "http://a:x",
        "http://a:1/v3",
        "http://u@a:1",
        "http://[:1",
    ],
)
def test_what_is_no_endpoint(text: str) -> None:
    with pytest.raises(ValueError, match="is no endpoint of etcd"):
        parse_endpoint(text)


def secret(**values: str) -> dict[Named, Secret]:
    return {Named("default", "s"): Secret(metadata=ObjectMeta("s", "default"), string_data=dict(values))}


TLS, USER = EtcdSettings(tls="s"), EtcdSettings(user="default/s")


@pytest.mark.parametrize(
    ("settings", "values", "access"),
    [
        (EtcdSettings(), {}, EtcdAccess()),
        (TLS, {"ca.crt": "CA"}, EtcdAccess(authorities=b"CA")),
        (TLS, {"tls.crt": "C", "tls.key": "K"}, EtcdAccess(chain=b"C", key=b"K")),
        (USER, {"username": "u", "password": "p"}, EtcdAccess(user="u", password="p")),
    ],
)
def test_what_secrets_say(settings: EtcdSettings, values: dict[str, str], access: EtcdAccess) -> None:
    assert read_access(settings, secret(**values)) == access


@pytest.mark.parametrize(
    ("settings", "values", "says"),
    [
        (EtcdSettings(tls="other"), {}, r"there is no Secret .other. in namespace .default."),
        (EtcdSettings(user="away/s"), {}, r"there is no Secret .s. in namespace .away."),
        (TLS, {"tls.crt": "C"}, "needs both tls.crt and tls.key"),
        (USER, {"password": "p"}, "needs the keys username and password"),
    ],
)
def test_what_cannot_be_had(settings: EtcdSettings, values: dict[str, str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_access(settings, secret(**values))
