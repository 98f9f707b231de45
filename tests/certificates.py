"""Certificates for tests: an authority that signs whatever is asked for, good or bad."""

from __future__ import annotations

import ssl
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from config.meta import ObjectMeta
from config.resources.core import Secret

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class Pair(NamedTuple):
    """PEM texts."""

    certificate: bytes
    key: bytes

    def secret(self, name: str = "shop-tls") -> Secret:
        data = {"tls.crt": self.certificate.decode(), "tls.key": self.key.decode()}
        return Secret(ObjectMeta(name, "default"), string_data=data, type="kubernetes.io/tls")

    def manifest(self, name: str = "shop-tls") -> dict[str, Any]:
        data = {"tls.crt": b64encode(self.certificate).decode(), "tls.key": b64encode(self.key).decode()}
        return {
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": "kubernetes.io/tls",
            "data": data,
        }  # fmt: skip


class Authority:
    """Signs certificates; `certificate` is its own."""

    def __init__(self, name: str = "test authority") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = _builder(self._name, self._name, self._key, -1, 30)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.certificate = _pem(builder.sign(self._key, hashes.SHA256()))

    def sign(
        self, *names: str, first_day: float = -1, last_day: float = 30, common_name: str = "", key: Key | None = None
    ) -> Pair:
        """A certificate for DNS names and addresses, good between days from now."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        subject = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else []
        builder = _builder(x509.Name(subject), self._name, key, first_day, last_day)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), False)
        return Pair(_pem(builder.sign(self._key, hashes.SHA256())), key_pem(key))

    def client(self, verify: bool = True, **versions: ssl.TLSVersion) -> ssl.SSLContext:
        """A context that trusts this authority only."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=self.certificate.decode())
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        for name, version in versions.items():
            setattr(context, name, version)
        return context


@cache
def authority() -> Authority:
    """One for all tests that do not care which."""
    return Authority()


@cache
def pair(*names: str) -> Pair:
    """A good certificate of the common authority."""
    return authority().sign(*names)


def key_pem(key: Key, password: bytes = b"") -> bytes:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: Key, first_day: float, last_day: float
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=first_day))
        .not_valid_after(now + timedelta(days=last_day))
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
