"""Manifests of benchmark size: Services without selectors, and the EndpointSlices behind them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def service(name: str, cluster_ip: str, ports: Sequence[tuple[str, int]]) -> str:
    """A Service of (port name, number) pairs."""
    lines = "".join(f"\n  - {{name: {port}, port: {number}}}" for port, number in ports)
    head = f"apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\n"
    return f"{head}spec:\n  clusterIP: {cluster_ip}\n  ports:{lines}\n"


def endpoint_slice(name: str, port_names: Iterable[str], port: int, addresses: Iterable[str]) -> str:
    """An EndpointSlice of the Service `name`: all `addresses` on one port, under every port name."""
    ports = ", ".join(f"{{name: {port_name}, port: {port}}}" for port_name in port_names)
    lines = "".join(f"\n- {{addresses: [{address}]}}" for address in addresses)
    suffix = f"{port}-{abs(hash(lines)) % 10**8}"
    return (
        f"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\naddressType: IPv4\n"
        f"metadata: {{name: {name}-{suffix}, labels: {{kubernetes.io/service-name: {name}}}}}\n"
        f"ports: [{ports}]\nendpoints:{lines}\n"
    )


def three(ip: str, http: int, tcp: int, backends: Sequence[int]) -> str:
    """The small case: one Service with an HTTP and a TCP port over three endpoints of 127.0.0.1."""
    names = ("http", "tcp")
    documents = [service("small", ip, list(zip(names, (http, tcp), strict=True)))]
    documents += [endpoint_slice("small", names, port, ["127.0.0.1"]) for port in backends]
    return "---\n".join(documents)


def addresses(count: int, first: int = 0) -> list[str]:
    """Distinct loopback addresses out of 127.98.0.0/15."""
    return [f"127.{98 + n // 65000}.{n % 65000 // 250}.{n % 250 + 1}" for n in range(first, first + count)]


def wide(ip: str, port: int, count: int, backend: int) -> str:
    """One Service with `count` endpoints."""
    slices = [addresses(min(100, count - first), first) for first in range(0, count, 100)]
    documents = [endpoint_slice("wide", ["http"], backend, part) for part in slices]
    return "---\n".join([service("wide", ip, [("http", port)]), *documents])


def many(ip: str, port: int, services: int, endpoints: int, backend: int) -> str:
    """`services` Services of `endpoints` endpoints each; the first of them at `ip`:`port`."""
    documents = []
    for number in range(services):
        name = f"many-{number}"
        documents.append(
            service(name, ip if number == 0 else f"127.96.{20 + number // 250}.{number % 250 + 1}", [("http", port)])
        )
        documents.append(endpoint_slice(name, ["http"], backend, addresses(endpoints, number * endpoints)))
    return "---\n".join(documents)


def ingress(hosts: int, paths: int, service_name: str = "small") -> str:
    """An Ingress for each of `hosts` hosts (``hN.test``), with `paths` Prefix paths (``/pN``) to a port named http."""
    backend = f"{{service: {{name: {service_name}, port: {{name: http}}}}}}"
    documents = []
    for host in range(hosts):
        lines = "".join(f"\n      - {{path: /p{n}, pathType: Prefix, backend: {backend}}}" for n in range(paths))
        head = f"apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: host-{host}}}\n"
        documents.append(f"{head}spec:\n  rules:\n  - host: h{host}.test\n    http:\n      paths:{lines}\n")
    return "---\n".join(documents)
