"""The NodeConfig: ranges, addresses, listeners, images."""

from __future__ import annotations

from pathlib import Path

from tests.config.validating import Case, case, check, document, error, node, table, warning

K = document("Secret", "stringData: {name: k, secret: c2VjcmV0}", "k")

CASES = [
    case("nothing", node("{}")),
    case(
        "all of it",
        node(
            "{clusterDomain: cluster.local, serviceRange: {cidr: 127.96.0.0/16, reach: loopback}, "
            "nodeAddresses: [127.0.0.1, '::1'], ingress: {http: '127.0.0.1:8080', https: '127.0.0.1:8443'}, "
            "dns: '127.0.0.1:1053', images: {'my-payment-app:v2': [python3, -m, payment.app], 'shop/*': [x]}, "
            "nodeName: laptop, trustedProxies: [10.0.0.0/8, 10.1.2.3]}"
        ),
    ),
    case("clusterDomain", node("{clusterDomain: Cluster}"), error("spec.clusterDomain", '"cluster"')),
    case(
        "a period in which nothing can be seen",
        node("{autoscaler: {period: 50ms}}"),
        error("spec.autoscaler.period", "too short"),
    ),
    case("no platform", node("{platforms: []}"), warning("spec.platforms", "no Deployment is run")),
    case("a word that no platform has", node("{platforms: [process, Docker]}"), error("spec.platforms[1]", '"docker"')),
    case("a platform that floors above may know", node("{platforms: [nomad]}")),
    case("nodeName", node("{nodeName: my_host}"), error("spec.nodeName", '"my-host"')),
    case(
        "no range, and no reach",
        node("{serviceRange: {cidr: 10.0.0.0/33, reach: loop}}"),
        error("spec.serviceRange.cidr", "ADDRESS/BITS"),
        error("spec.serviceRange.reach", "did you mean"),
    ),
    case("a range", node("{serviceRange: {cidr: 127.96.0.0}}"), error("spec.serviceRange.cidr", "ADDRESS/BITS")),
    case(
        "a range with more bits",
        node("{serviceRange: {cidr: 127.96.1.0/16}}"),
        error("spec.serviceRange.cidr", '"127.96.0.0/16"'),
    ),
    case(
        "a range that loopback does not reach",
        node("{serviceRange: {cidr: 10.96.0.0/16}}"),
        error("spec.serviceRange.cidr", "reach: route"),
    ),
    case(
        "a range by route",
        node("{serviceRange: {cidr: 10.96.0.0/16, reach: route}}"),
    ),
    case(
        "a range of ports",
        node("{serviceRange: {cidr: 10.96.0.0/16, reach: ports}}"),
    ),
    case(
        "a range of nothing",
        node("{serviceRange: {cidr: 127.96.0.0/31}}"),
        error("spec.serviceRange.cidr", "no address to give out"),
    ),
    case("podCIDR", node("{podCIDR: pods}"), error("spec.podCIDR", "ADDRESS/BITS")),
    case("podCIDR elsewhere", node("{podCIDR: 10.244.0.0/16}"), warning("spec.podCIDR", "local addresses")),
    case("ranges that overlap", node("{podCIDR: 127.96.128.0/17}"), error("spec.podCIDR", "overlaps")),
    case("a node address", node("{nodeAddresses: [localhost]}"), error("spec.nodeAddresses[0]", "not an IP address")),
    case(
        "a node address twice",
        node("{nodeAddresses: [127.0.0.1, 127.0.0.1]}"),
        error("spec.nodeAddresses[1]", "nodeAddresses[0]"),
    ),
    case(
        "a node address of the range",
        node("{nodeAddresses: [127.96.0.1]}"),
        error("spec.nodeAddresses[0]", "lies in the service range"),
    ),
    case(
        "a bridge that is no network",
        node("{inbound: {bridges: [172.17.0.0/16, docker0]}}"),
        error("spec.inbound.bridges[1]", "ADDRESS/BITS"),
    ),
    case("a zone", node("{zone: eu-west-1a}")),
    case("a zone that is none", node("{zone: 'eu west'}"), error("spec.zone", "label value")),
    case("admin", node("{admin: '9901'}"), error("spec.admin", "HOST:PORT")),
    case("http", node("{ingress: {http: 'a:b'}}"), error("spec.ingress.http", "0 to 65535")),
    case("https", node("{ingress: {https: 'web:443'}}"), error("spec.ingress.https", "not an IP address")),
    case("dns", node("{dns: '::1:53'}"), error("spec.dns", "brackets")),
    case("forwarding", node("{resolver: {forward: true, allowFrom: [10.0.0.0/8], servers: ['10.0.0.1:53']}}")),
    case(
        "who may ask", node("{resolver: {allowFrom: [10.0.0.1]}}"), error("spec.resolver.allowFrom[0]", "ADDRESS/BITS")
    ),
    case(
        "the registry",
        node("{registry: {keys: [{secret: k, writes: ['*']}], transferTo: [10.0.0.0/8], alsoNotify: ['10.0.0.1:53']}}")
        + K,
    ),
    case("who is answered", node("{registry: {allowFrom: [x]}}"), error("spec.registry.allowFrom[0]", "ADDRESS/BITS")),
    case(
        "nobody is answered",
        node("{dns: '10.0.0.1:53', registry: {allowFrom: [127.0.0.0/8]}}"),
        warning("spec.registry.allowFrom", "only this machine"),
    ),
    case("others are answered", node("{dns: '0.0.0.0:53', registry: {answersPerSecond: 0}}")),
    case(
        "who may have zones",
        node("{registry: {transferTo: [10.0.0.1]}}"),
        error("spec.registry.transferTo[0]", "ADDRESS/BITS"),
    ),
    case(
        "where etcd is",
        node("{registry: {etcd: {endpoints: ['http://a:2379', 'a:2379']}}}"),
        error("spec.registry.etcd.endpoints[1]", "is no endpoint of etcd"),
    ),
    case("who is told", node("{registry: {alsoNotify: [x]}}"), error("spec.registry.alsoNotify[0]", "HOST:PORT")),
    case(
        "a name of a zone",
        node("{registry: {keys: [{secret: k, writes: [a..b]}]}}") + K,
        error("spec.registry.keys[0].writes[0]", "a..b"),
    ),
    case(
        "a key that may do nothing",
        node("{registry: {keys: [{secret: k}]}}") + K,
        warning("spec.registry.keys[0]", "may do nothing"),
    ),
    case("who is asked", node("{resolver: {servers: [10.0.0.1]}}"), error("spec.resolver.servers[0]", "HOST:PORT")),
    case("any free port, twice", node("{admin: '127.0.0.1:0', dns: '127.0.0.1:0'}")),
    case("a port twice", node("{ingress: {http: '127.0.0.1:9901'}}"), error("spec.ingress.http", "spec.admin")),
    case("an image without a command", node("{images: {a: []}}"), error("spec.images.a", "list of words")),
    case("an image with an empty command", node("{images: {a: ['']}}"), error("spec.images.a", "list of words")),
    case("an image without a name", node("{images: {'': [x]}}"), error("spec.images", "'*' stands for every image")),
    case("an image with a space", node("{images: {'a b': [x]}}"), error("spec.images[a b]", "white space")),
    case("NUL", node('{images: {a: [x, "\\0"]}}'), error("spec.images.a", "NUL")),
    case("a proxy", node("{trustedProxies: [lb]}"), error("spec.trustedProxies[0]", "ADDRESS/BITS")),
    case("who introduces", node("{ingress: {proxyProtocol: {acceptFrom: [10.0.0.0/8, 10.1.2.3, '::1']}}}")),
    case(
        "nobody introduces",
        node("{ingress: {proxyProtocol: {acceptFrom: [lb]}}}"),
        error("spec.ingress.proxyProtocol.acceptFrom[0]", "ADDRESS/BITS"),
    ),
]


@table(CASES)
def test_node_config(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path)
