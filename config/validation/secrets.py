"""Secrets and ConfigMaps (v1): keys, base64, sizes, and what the types of Secrets must hold."""

from __future__ import annotations

import json
from collections.abc import Mapping

from config.keypair import CERTIFICATE, KEY, problem
from config.naming import DATA_KEY, shown
from config.resources.core import ConfigMap, Secret
from config.validation.report import ObjectReport, keyed
from config.values import decode_base64

DATA_BYTES = 1024 * 1024

_NEEDED: Mapping[str, tuple[str, ...]] = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
}
_JSON = frozenset({".dockercfg", ".dockerconfigjson"})


def check_secret(secret: Secret, report: ObjectReport) -> None:
    values = _decoded(secret.data, "data", report)
    values.update((key, value.encode()) for key, value in secret.string_data.items())
    _check_keys({"data": secret.data, "stringData": secret.string_data}, report)
    _check_size(sum(map(len, values.values())), report)
    missing = [key for key in _NEEDED.get(secret.type, ()) if key not in {*values, *secret.data}]
    for key in missing:
        message = f"a Secret of type {secret.type} needs the key {shown(key)}"
        report.error("data", message, keyed("data", key), keyed("stringData", key))
    if secret.type == "kubernetes.io/basic-auth" and not {"username", "password"} & {*secret.data, *values}:
        message = f"a Secret of type {secret.type} needs the key 'username' or 'password'"
        report.error("data", message, "data", "stringData")
    _check_contents(secret, values, report)
    if secret.type == "kubernetes.io/tls" and all(b"-----BEGIN " in values.get(key, b"") for key in (CERTIFICATE, KEY)):
        _check_pair(secret, values, report)


def check_config_map(item: ConfigMap, report: ObjectReport) -> None:
    binary = _decoded(item.binary_data, "binaryData", report)
    _check_keys({"data": item.data, "binaryData": item.binary_data}, report)
    _check_size(sum(map(len, binary.values())) + sum(len(v.encode()) for v in item.data.values()), report)
    for key in item.data.keys() & item.binary_data.keys():
        message = "the same key is in data: keep one of the two"
        report.error(keyed("binaryData", key), message, keyed("data", key))


def _decoded(data: Mapping[str, str], path: str, report: ObjectReport) -> dict[str, bytes]:
    decoded = {}
    for key, text in data.items():
        try:
            decoded[key] = decode_base64(text)
        except ValueError:
            hint = ": encode it, or move it to stringData" if path == "data" else ": encode it, or move it to data"
            report.error(keyed(path, key), f"the value is not base64{hint}")
    return decoded


def _check_keys(parts: Mapping[str, Mapping[str, str]], report: ObjectReport) -> None:
    for path, data in parts.items():
        for key in data:
            report.check(keyed(path, key), DATA_KEY.problem(key))


def _check_size(size: int, report: ObjectReport) -> None:
    if size > DATA_BYTES:
        report.error("data", f"{size} bytes of data; Kubernetes takes at most {DATA_BYTES}")


def _check_contents(secret: Secret, values: Mapping[str, bytes], report: ObjectReport) -> None:
    """What can be seen of a value without using it.  Its bytes never appear in a message."""
    for key in _NEEDED.get(secret.type, ()):
        value = values.get(key)
        path = _path(secret, key)
        if value is None:
            continue
        if key in _JSON and not _is_json(value):
            report.error(path, "the value is not JSON")
        if key.startswith("tls.") and b"-----BEGIN " not in value:
            report.warning(path, "the value holds no PEM block (-----BEGIN ...), so no TLS server can use it")


def _check_pair(secret: Secret, values: Mapping[str, bytes], report: ObjectReport) -> None:
    """No error, since Kubernetes takes the Secret: what it held before stays in use, and its Ingress says why."""
    fault = problem(values[CERTIFICATE], values[KEY])
    if fault is not None:
        given = [keyed(part, key) for part in ("data", "stringData") for key in (CERTIFICATE, KEY)]
        report.warning(_path(secret, fault.at), f"{fault.words}, so no TLS server can use it", *given)


def _path(secret: Secret, key: str) -> str:
    return keyed("stringData" if key in secret.string_data else "data", key)


def _is_json(value: bytes) -> bool:
    try:
        json.loads(value)
    except ValueError:
        return False
    return True
