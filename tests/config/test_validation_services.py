"""Services: ports, types, addresses."""

from __future__ import annotations

from pathlib import Path

from tests.config.validating import Case, case, check, endpoints_of, error, node, service, table, warning

PORT = "ports: [{port: 80}]"
EXPORTED = (
    "apiVersion: v1\nkind: Service\nmetadata: {{name: web, creationTimestamp: '2024-05-01T10:00:00Z'}}\nspec: {}\n---\n"
)

ANNOTATED = (
    "apiVersion: v1\nkind: Service\nmetadata: {{name: web, annotations: {{{}}}}}\nspec: {{ports: [{{port: 80}}]}}\n"
)

FROM_DNS = [
    case("endpoints from DNS", ANNOTATED.format("weft.dev/dns: web.example.com")),
    case(
        "from a server that is none",
        ANNOTATED.format("weft.dev/dns: web.example.com, weft.dev/dns-servers: dns"),
        error("metadata.annotations[weft.dev/dns-servers]", "HOST:PORT"),
    ),
]

PORTS = [
    case("one port", service(f"{{{PORT}}}")),
    case("no ports", service("{}"), error("spec.ports", "at least one port")),
    case("headless needs none", service("{clusterIP: None}")),
    case(
        "two without names",
        service("{ports: [{port: 80}, {port: 81, name: b}]}"),
        error("spec.ports[0].name", "several"),
    ),
    case(
        "a name twice",
        service("{ports: [{port: 80, name: a}, {port: 81, name: a}]}"),
        error("spec.ports[1].name", "spec.ports[0]"),
    ),
    case(
        "a port twice",
        service("{ports: [{port: 80, name: a}, {port: 80, name: b}]}"),
        error("spec.ports[1].port", "spec.ports[0]"),
    ),
    case(
        "TCP and UDP may share a port",
        service("{ports: [{port: 53, name: a}, {port: 53, name: b, protocol: UDP}]}"),
    ),
    case(
        "SCTP",
        service("{ports: [{port: 53, name: a}, {port: 53, name: b, protocol: SCTP}]}"),
        warning("spec.ports[1].protocol", "SCTP is not carried"),
    ),
    case(
        "a name with underscores",
        service("{ports: [{port: 80, name: my_port}]}"),
        error("spec.ports[0].name", '"my-port"'),
    ),
    case(
        "a name too long",
        service(f"{{ports: [{{port: 80, name: {'a' * 63}}}]}}"),
        error("spec.ports[0].name", "at most 62"),
    ),
    case("a name as kubectl create service gives it", service("{ports: [{port: 80, name: 80-8080}]}")),
    case("a name of digits, or with two hyphens", service("{ports: [{port: 80, name: '80'}, {port: 81, name: a--b}]}")),
    case("targetPort by name", service("{ports: [{port: 80, targetPort: http}]}")),
    case(
        "targetPort 0", service("{ports: [{port: 80, targetPort: 0}]}"), error("spec.ports[0].targetPort", "1 to 65535")
    ),
    case(
        "targetPort 70000",
        service("{ports: [{port: 80, targetPort: 70000}]}"),
        error("spec.ports[0].targetPort", "1 to 65535"),
    ),
    case(
        "targetPort quoted",
        service("{ports: [{port: 80, targetPort: '8080'}]}"),
        error("spec.ports[0].targetPort", "without quotes"),
    ),
    case(
        "targetPort no name",
        service("{ports: [{port: 80, targetPort: a_b}]}"),
        error("spec.ports[0].targetPort", "port name"),
    ),
    case("appProtocol", service("{ports: [{port: 80, appProtocol: kubernetes.io/h2c}]}")),
    case(
        "appProtocol odd",
        service("{ports: [{port: 80, appProtocol: 'a b'}]}"),
        error("spec.ports[0].appProtocol", "label key"),
    ),
    case("SCTP", service("{ports: [{port: 80, protocol: SCTP}]}"), warning("spec.ports[0].protocol", "no listener")),
]

NODE_PORTS = [
    case("NodePort", service("{type: NodePort, ports: [{port: 80, nodePort: 30080}]}")),
    case("LoadBalancer", service("{type: LoadBalancer, ports: [{port: 80, nodePort: 32767}]}")),
    case(
        "nodePort of a ClusterIP",
        service("{ports: [{port: 80, nodePort: 30080}]}"),
        error("spec.ports[0].nodePort", "type: NodePort"),
    ),
    case(
        "below the range",
        service("{type: NodePort, ports: [{port: 80, nodePort: 8080}]}"),
        error("spec.ports[0].nodePort", "30000-32767"),
    ),
    case(
        "above the range",
        service("{type: NodePort, ports: [{port: 80, nodePort: 32768}]}"),
        error("spec.ports[0].nodePort", "leave the field out"),
    ),
    case(
        "twice",
        service(
            "{type: NodePort, ports: [{port: 80, name: a, nodePort: 30080}, {port: 81, name: b, nodePort: 30080}]}"
        ),
        error("spec.ports[1].nodePort", "spec.ports[0]"),
    ),
    case(
        "of another cluster",
        EXPORTED.format("{type: NodePort, ports: [{port: 80, nodePort: 20080}]}") + endpoints_of("web"),
        warning("spec.ports[0].nodePort", "another cluster"),
    ),
]

ADDRESSES = [
    case("in the range", service(f"{{clusterIP: 127.96.3.4, {PORT}}}")),
    case("not an address", service(f"{{clusterIP: web, {PORT}}}"), error("spec.clusterIP", "not an IP address")),
    case("none is not None", service(f"{{clusterIP: none, {PORT}}}"), error("spec.clusterIP", "None for a headless")),
    case(
        "outside the range",
        service(f"{{clusterIP: 10.96.0.10, {PORT}}}"),
        error("spec.clusterIP", "127.96.0.0/16 (the default)"),
    ),
    case(
        "the network's own",
        service(f"{{clusterIP: 127.96.0.0, {PORT}}}"),
        error("spec.clusterIP", "cannot be given out of"),
    ),
    case(
        "the broadcast address",
        service(f"{{clusterIP: 127.96.255.255, {PORT}}}"),
        error("spec.clusterIP", "cannot be given out of"),
    ),
    case(
        "an address of the other family",
        service(f"{{clusterIP: 'fd00::1', {PORT}}}"),
        error("spec.clusterIP", "cannot be given out of"),
    ),
    case(
        "outside a range that a file states",
        service(f"{{clusterIP: 127.96.0.10, {PORT}}}") + node("{serviceRange: {cidr: 127.95.0.0/16}}"),
        error("spec.clusterIP", "127.95.0.0/16 (NodeConfig/laptop in "),
    ),
    case(
        "given out by another cluster",
        EXPORTED.format(f"{{clusterIP: 10.96.0.10, {PORT}}}") + endpoints_of("web"),
        warning("spec.clusterIP", "another cluster"),
    ),
    case(
        "clusterIPs differ",
        service(f"{{clusterIP: 127.96.3.4, clusterIPs: [127.96.3.5], {PORT}}}"),
        error("spec.clusterIPs[0]", "127.96.3.4"),
    ),
    case("clusterIPs", service(f"{{clusterIP: 127.96.3.4, clusterIPs: [127.96.3.4], {PORT}}}")),
    case(
        "a range that is a fault itself rules nothing out",
        service(f"{{clusterIP: 10.96.0.10, {PORT}}}") + node("{serviceRange: {cidr: nowhere}}"),
        error("spec.serviceRange.cidr", "not a network"),
    ),
    case(
        "a headless NodePort",
        service(f"{{type: NodePort, clusterIP: None, {PORT}}}"),
        error("spec.clusterIP", "cannot be headless"),
    ),
    case(
        "a headless LoadBalancer",
        service(f"{{type: LoadBalancer, clusterIP: None, {PORT}}}"),
        error("spec.clusterIP", "LoadBalancer"),
    ),
    case("ipFamilies", service(f"{{ipFamilies: [IPv4], ipFamilyPolicy: SingleStack, {PORT}}}")),
    case(
        "unknown family",
        service(f"{{ipFamilies: [IPv5], {PORT}}}"),
        error("spec.ipFamilies[0]", "neither IPv4 nor IPv6"),
    ),
    case("a family twice", service(f"{{ipFamilies: [IPv4, IPv4], {PORT}}}"), error("spec.ipFamilies", "twice")),
    case(
        "a family that the range is not",
        service(f"{{ipFamilies: [IPv6], {PORT}}}"),
        error("spec.ipFamilies[0]", "IPv6 cannot be given out"),
    ),
    case(
        "unknown family policy",
        service(f"{{ipFamilyPolicy: Dual, {PORT}}}"),
        error("spec.ipFamilyPolicy", "PreferDualStack"),
    ),
    case(
        "two families for one",
        service(f"{{ipFamilyPolicy: SingleStack, ipFamilies: [IPv4, IPv6], {PORT}}}"),
        error("spec.ipFamilyPolicy", "SingleStack has one family"),
    ),
    case(
        "two families required",
        service(f"{{ipFamilyPolicy: RequireDualStack, ipFamilies: [IPv4, IPv6], {PORT}}}"),
        warning("spec.ipFamilyPolicy", "one address only"),
    ),
    case(
        "two families required and named",
        service(
            f"{{ipFamilyPolicy: RequireDualStack, clusterIP: 127.96.0.9, clusterIPs: [127.96.0.9, '::1'], {PORT}}}"
        ),
    ),
    case(
        "two families, the range's being the second",
        service(f"{{clusterIP: 'fd00::9', clusterIPs: ['fd00::9', 127.96.0.9], ipFamilies: [IPv6, IPv4], {PORT}}}"),
    ),
    case(
        "two families, the range's out of the range",
        service(f"{{clusterIP: 'fd00::9', clusterIPs: ['fd00::9', 10.96.0.9], {PORT}}}"),
        error("spec.clusterIPs[1]", "10.96.0.9 cannot be given out"),
    ),
    case(
        "two families of an IPv6 range",
        service(f"{{clusterIP: 10.96.0.9, clusterIPs: [10.96.0.9, 'fd00::9'], {PORT}}}")
        + node("{serviceRange: {cidr: 'fd00::/108', reach: route}}"),
    ),
    case(
        "the other family alone",
        service(f"{{clusterIP: 'fd00::9', {PORT}}}"),
        error("spec.clusterIP", "fd00::9 cannot be given out"),
    ),
    case(
        "two families of another cluster, one of the range",
        EXPORTED.format(f"{{clusterIP: 127.96.0.9, clusterIPs: [127.96.0.9, 'fd00::9'], {PORT}}}")
        + endpoints_of("web"),
        warning("spec.clusterIPs", "only 127.96.0.9 is served"),
    ),
    case("another family of another cluster", EXPORTED.format(f"{{ipFamilies: [IPv6], {PORT}}}") + endpoints_of("web")),
    case("headless of any families", service(f"{{clusterIP: None, ipFamilyPolicy: RequireDualStack, {PORT}}}")),
    case("headless of another family", service(f"{{clusterIP: None, ipFamilies: [IPv6, IPv4], {PORT}}}")),
    case(
        "headless of another family, with a selector",
        service(f"{{clusterIP: None, selector: {{a: b}}, ipFamilies: [IPv6], {PORT}}}"),
        error("spec.ipFamilies[0]", "IPv6 cannot be given out"),
    ),
    case(
        "a second address that is none",
        service(f"{{clusterIP: 127.96.0.9, clusterIPs: [127.96.0.9, nowhere], {PORT}}}"),
        error("spec.clusterIPs[1]", "is not an IP address"),
    ),
    case(
        "two of one family, and a third",
        service(f"{{clusterIP: 127.96.0.9, clusterIPs: [127.96.0.9, 127.96.0.10, '::1'], {PORT}}}"),
        error("spec.clusterIPs", "one of each family"),
        error("spec.clusterIPs[1]", "the same family"),
    ),
    case("two families preferred", service(f"{{ipFamilyPolicy: PreferDualStack, ipFamilies: [IPv4, IPv6], {PORT}}}")),
    case(
        "faults that do not rest on a type that cannot be read",
        service(
            "{type: ClusterIp, clusterIP: here, ipFamilies: [IPv5], ipFamilyPolicy: Dual, "
            "ports: [{port: high, targetPort: 99999}]}"
        ),
        error("spec.type", "did you mean"),
        error("spec.clusterIP", "is not an IP address"),
        error("spec.ipFamilies[0]", "neither IPv4 nor IPv6"),
        error("spec.ipFamilyPolicy", "PreferDualStack"),
        error("spec.ports[0].port", "expected a whole number"),
        error("spec.ports[0].targetPort", "not a port number"),
    ),
]

TYPES = [
    case("ExternalName", service("{type: ExternalName, externalName: db.example.com}")),
    case("ExternalName with a final dot", service("{type: ExternalName, externalName: db.example.com.}")),
    case("ExternalName without a name", service("{type: ExternalName}"), error("spec.externalName", "needs the name")),
    case(
        "ExternalName with an underscore",
        service("{type: ExternalName, externalName: my_db.example}"),
        error("spec.externalName", "my-db.example"),
    ),
    case(
        "ExternalName that is an address",
        service("{type: ExternalName, externalName: 10.0.0.1}"),
        warning("spec.externalName", "EndpointSlice"),
    ),
    case(
        "ExternalName with clusterIP",
        service("{type: ExternalName, externalName: db, clusterIP: 127.96.0.9}"),
        error("spec.clusterIP", "remove clusterIP"),
    ),
    case(
        "affinity",
        service(f"{{sessionAffinity: ClientIP, sessionAffinityConfig: {{clientIP: {{timeoutSeconds: 60}}}}, {PORT}}}"),
    ),
    case(
        "affinity config alone",
        service(f"{{sessionAffinityConfig: {{clientIP: {{timeoutSeconds: 60}}}}, {PORT}}}"),
        error("spec.sessionAffinityConfig", "ClientIP"),
    ),
    case("externalIPs", service(f"{{externalIPs: [127.0.0.9], {PORT}}}")),
    case(
        "externalIPs no address",
        service(f"{{externalIPs: [web], {PORT}}}"),
        error("spec.externalIPs[0]", "not an IP address"),
    ),
    case(
        "externalIPs nowhere",
        service(f"{{externalIPs: [0.0.0.0], {PORT}}}"),
        error("spec.externalIPs[0]", "nothing can be reached"),
    ),
    case("source ranges", service(f"{{type: LoadBalancer, loadBalancerSourceRanges: [10.0.0.0/8], {PORT}}}")),
    case(
        "source ranges with spaces",
        service(f"{{type: LoadBalancer, loadBalancerSourceRanges: [' 10.0.0.0/8 '], {PORT}}}"),
    ),
    case(
        "source range no network",
        service(f"{{type: LoadBalancer, loadBalancerSourceRanges: [10.0.0.1], {PORT}}}"),
        error("spec.loadBalancerSourceRanges[0]", "ADDRESS/BITS"),
    ),
    case(
        "source ranges of a NodePort",
        service(f"{{type: NodePort, loadBalancerSourceRanges: [10.0.0.0/8], {PORT}}}"),
        error("spec.loadBalancerSourceRanges", "only for type LoadBalancer"),
    ),
    case(
        "loadBalancerClass",
        service(f"{{type: LoadBalancer, loadBalancerClass: weft.dev/lb, loadBalancerIP: 127.0.0.3, {PORT}}}"),
    ),
    case(
        "loadBalancerClass of somebody else",
        service(f"{{type: LoadBalancer, loadBalancerClass: example.com/lb, {PORT}}}"),
        warning("spec.loadBalancerClass", "not served here as a LoadBalancer"),
    ),
    case(
        "loadBalancerClass of a ClusterIP",
        service(f"{{loadBalancerClass: weft.dev/lb, {PORT}}}"),
        error("spec.loadBalancerClass", "only for type LoadBalancer"),
    ),
    case(
        "loadBalancerIP no address",
        service(f"{{type: LoadBalancer, loadBalancerIP: lb, {PORT}}}"),
        error("spec.loadBalancerIP", "not an IP address"),
    ),
    case(
        "allocateLoadBalancerNodePorts",
        service(f"{{allocateLoadBalancerNodePorts: false, {PORT}}}"),
        error("spec.allocateLoadBalancerNodePorts", "only for type LoadBalancer"),
    ),
    case("externalTrafficPolicy", service(f"{{type: NodePort, externalTrafficPolicy: Local, {PORT}}}")),
    case(
        "externalTrafficPolicy of a ClusterIP",
        service(f"{{externalTrafficPolicy: Local, {PORT}}}"),
        error("spec.externalTrafficPolicy", "this Service is ClusterIP"),
    ),
    case(
        "healthCheckNodePort",
        service(f"{{type: LoadBalancer, externalTrafficPolicy: Local, healthCheckNodePort: 30900, {PORT}}}"),
    ),
    case(
        "healthCheckNodePort with Cluster",
        service(f"{{type: LoadBalancer, healthCheckNodePort: 30900, {PORT}}}"),
        error("spec.healthCheckNodePort", "externalTrafficPolicy: Local"),
    ),
    case(
        "healthCheckNodePort outside",
        service(f"{{type: LoadBalancer, externalTrafficPolicy: Local, healthCheckNodePort: 900, {PORT}}}"),
        error("spec.healthCheckNodePort", "30000-32767"),
    ),
    case("trafficDistribution", service(f"{{trafficDistribution: PreferClose, {PORT}}}")),
    case(
        "trafficDistribution unknown",
        service(f"{{trafficDistribution: Near, {PORT}}}"),
        error("spec.trafficDistribution", "PreferSameZone"),
    ),
    case(
        "a selector's label", service(f"{{selector: {{'a b': c}}, {PORT}}}"), error("spec.selector[a b]", "label key")
    ),
]


@table(FROM_DNS + PORTS + NODE_PORTS + ADDRESSES + TYPES)
def test_services(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path)
