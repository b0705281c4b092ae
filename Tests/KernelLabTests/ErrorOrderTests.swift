import BindRules
import KernelLab
import SocketModel
import Testing

private func attempt(
  _ transport: TransportProtocol, _ address: String, v6only: Bool? = nil, device: LabDevice? = nil,
  scope: LabDevice? = nil, privileged: Bool = true
) -> Attempt {
  Attempt(
    transport, ip(address), v6only: v6only, device: device, scope: scope, mayBindPrivileged: privileged)
}

private let notAvailable = "bind: EADDRNOTAVAIL"
private let denied = "bind: EACCES"
private let invalid = "bind: EINVAL"

/// Sections 4.2 and 4.3: which error comes first.
private let errorFacts: [KernelFact] = [
  KernelFact(
    "a privileged port without the capability", [], attempt(.tcp, "127.0.0.1", privileged: false), [], denied,
    port: .privileged),
  KernelFact("with it", [], attempt(.tcp, "127.0.0.1"), [], "ok", port: .privileged),
  KernelFact(
    "ip_unprivileged_port_start 0 frees all ports", [], attempt(.tcp, "127.0.0.1", privileged: false), [], "ok",
    port: .privileged, sysctls: ["ipv4/ip_unprivileged_port_start": "0"]),
  KernelFact("an ordinary port needs no capability", [], attempt(.udp, "::1", privileged: false), [], "ok"),
  KernelFact(
    "EACCES comes before EADDRINUSE", [Holder(.listening, .tcp, ip("0.0.0.0"))],
    attempt(.tcp, "0.0.0.0", privileged: false), [], denied, port: .privileged),
  KernelFact(
    "IPv4: a foreign address comes before the privileged port", [], attempt(.tcp, "192.0.2.1", privileged: false),
    [], notAvailable, port: .privileged),
  KernelFact(
    "IPv6: the privileged port comes before a foreign address", [],
    attempt(.tcp, "2001:db8::1", privileged: false), [], denied, port: .privileged),
  KernelFact("IPv6: a foreign address", [], attempt(.udp, "2001:db8::1"), [], notAvailable),
  KernelFact(
    "ip_nonlocal_bind of IPv4", [], attempt(.tcp, "192.0.2.1"), [], "ok",
    sysctls: ["ipv4/ip_nonlocal_bind": "1"]),
  KernelFact(
    "it does not cover IPv6", [], attempt(.tcp, "2001:db8::1"), [], notAvailable,
    sysctls: ["ipv4/ip_nonlocal_bind": "1"]),
  KernelFact(
    "that of IPv6 does", [], attempt(.tcp, "2001:db8::1"), [], "ok", sysctls: ["ipv6/ip_nonlocal_bind": "1"]),
  KernelFact(
    "an IPv4-mapped address follows IPv4's", [], attempt(.tcp, "::ffff:192.0.2.1"), [], "ok",
    sysctls: ["ipv4/ip_nonlocal_bind": "1"]),
  KernelFact("TCP may bind and listen on an IPv4 multicast address", [], attempt(.tcp, "224.0.0.251"), [], "ok"),
  KernelFact("and on the broadcast address", [], attempt(.tcp, "255.255.255.255"), [], "ok"),
  KernelFact("and on that of a subnet", [], attempt(.tcp, "10.77.0.255"), [], "ok"),
  KernelFact("TCP may not bind an IPv6 multicast address", [], attempt(.tcp, "ff05::1"), [], invalid),
  KernelFact(
    "which comes before the privileged port", [], attempt(.tcp, "ff05::1", privileged: false), [], invalid,
    port: .privileged),
  KernelFact("UDP may", [], attempt(.udp, "ff05::1"), [], "ok"),
  KernelFact(
    "an IPv4-mapped address on a V6ONLY socket", [], attempt(.tcp, "::ffff:127.0.0.1", v6only: true), [], invalid),
  KernelFact(
    "bindv6only is the default of new sockets", [], attempt(.tcp, "::ffff:127.0.0.1"), [], invalid,
    sysctls: ["ipv6/bindv6only": "1"]),
  KernelFact("a link-local address without an interface", [], attempt(.tcp, "fe80::77"), [], invalid),
  KernelFact("with its interface as scope", [], attempt(.tcp, "fe80::77", scope: .dev0), [], "ok"),
  KernelFact("with its interface as device", [], attempt(.tcp, "fe80::77", device: .dev0), [], "ok"),
  KernelFact("with another interface", [], attempt(.tcp, "fe80::77", scope: .dev1), [], notAvailable),
  KernelFact("::1 on another interface than lo", [], attempt(.tcp, "::1", device: .dev0), [], notAvailable),
  KernelFact("127.0.0.1 on another interface than lo", [], attempt(.tcp, "127.0.0.1", device: .dev0), [], "ok"),
  KernelFact(
    "a device that is not there fails before bind", [Holder(.listening, .tcp, ip("::1"))],
    attempt(.tcp, "::1", device: .missing), [], "device: ENODEV"),
]

@Suite(.enabled(if: kernelTestsRun, "needs CAP_SYS_ADMIN for a network namespace"))
struct ErrorOrderTests {
  @Test("which error comes first", arguments: errorFacts)
  func order(_ fact: KernelFact) throws {
    let observed = try fact.observe()
    #expect(observed == fact.expected)
  }
}
