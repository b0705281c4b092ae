import BindRules
import Explanation
import SocketModel

// Ports of UDP, and those of the kernel.

let madeUpUDP: [MadeUp] = [
  MadeUp("a UDP socket", [made(.close, server)]) {
    ($0.transport, $0.addresses, $0.nearby) = (.udp, dual, NearbyPorts(ports: 8081...8090, sockets: []))
  },
  MadeUp("a UDP socket without SO_REUSEADDR", [made(.close, server, reuseaddr: false)]) { $0.transport = .udp },
  MadeUp("a UDP socket without SO_REUSEADDR, planned here", [made(.close, server, reuseaddr: false)]) {
    ($0.transport, $0.options) = (.udp, .reuseaddr)
  },
  MadeUp("a UDP socket with SO_REUSEADDR, planned here", [made(.close, server)]) {
    ($0.transport, $0.options) = (.udp, .reuseaddr)
  },
  MadeUp("a UDP socket on one address, the wildcard planned", [made(.close, "127.0.0.1", server)]) {
    $0.transport = .udp
  },
  MadeUp("a UDP socket on the wildcard, one address planned", [made(.close, server)]) {
    ($0.transport, $0.addresses) = (.udp, ["127.0.0.1"])
  },
  MadeUp("a UDP socket on a group, the wildcard planned", [made(.close, "224.0.0.251", server)]) {
    $0.transport = .udp
  },
  MadeUp("a UDP socket on the wildcard, a group planned", [made(.close, server)]) {
    ($0.transport, $0.addresses) = (.udp, ["224.0.0.251"])
  },
  MadeUp("a UDP socket of IPv6 on the wildcard, a group planned", [made(.close, "::", server, v6only: true)]) {
    ($0.transport, $0.addresses, $0.scope) = (.udp, ["ff02::fb"], 2)
  },
  MadeUp("a UDP socket on the same group", [made(.close, "224.0.0.251", server)]) {
    ($0.transport, $0.addresses) = (.udp, ["224.0.0.251"])
  },
  MadeUp(
    "a UDP socket that shares by SO_REUSEPORT, SO_REUSEADDR planned",
    [
      made(.close, server, reuseaddr: false, reuseport: true)
    ]
  ) { ($0.transport, $0.options) = (.udp, .reuseaddr) },
  MadeUp("a UDP socket that shares by SO_REUSEADDR, SO_REUSEPORT planned", [made(.close, program(9, "avahi-daemon"))])
  {
    ($0.transport, $0.options) = (.udp, .reuseport)
  },
  MadeUp(
    "a UDP socket without options, SO_REUSEPORT planned",
    [
      made(.close, server, reuseaddr: false)
    ]
  ) { ($0.transport, $0.options) = (.udp, .reuseport) },
  MadeUp(
    "a UDP socket with SO_REUSEPORT of another user, planned here",
    [
      made(.close, server, reuseaddr: false, reuseport: true, uid: 33)
    ]
  ) { ($0.transport, $0.options) = (.udp, .reuseport) },
  MadeUp("mDNS beside avahi", [made(.close, program(9, "avahi-daemon"), reuseport: true)]) {
    ($0.transport, $0.port) = (.udp, 5353)
  },
  MadeUp("mDNS beside a program that shares nothing", [made(.close, program(9, "mdnsd"), reuseaddr: false)]) {
    ($0.transport, $0.port) = (.udp, 5353)
  },
  MadeUp(
    "mDNS beside a program that shares nothing and has a setting",
    [
      made(.close, program(9, "chronyd"), reuseaddr: false)
    ]
  ) { ($0.transport, $0.port, $0.options) = (.udp, 5353, .reuseaddr) },
  MadeUp("mDNS beside avahi that shares nothing", [made(.close, program(9, "avahi-daemon"), reuseaddr: false)]) {
    ($0.transport, $0.port) = (.udp, 5353)
  },
  MadeUp(
    "mDNS beside avahi that shares nothing, by TCP", [made(.listen, program(9, "avahi-daemon"), reuseaddr: false)]
  ) {
    $0.port = 5353
  },
  MadeUp("SSDP on [::] beside a socket of IPv4", [made(.close, program(9, "minidlnad"), reuseaddr: false)]) {
    ($0.transport, $0.port, $0.addresses) = (.udp, 1900, ["::"])
  },
  MadeUp("DNS beside a local resolver", [made(.close, "127.0.0.53", program(9, "systemd-resolve"), reuseaddr: false)])
  {
    ($0.transport, $0.port) = (.udp, 53)
  },
  MadeUp("dnsmasq beside named", [made(.close, program(9, "named"), reuseaddr: false)]) {
    ($0.transport, $0.port, $0.runtime) = (.udp, 53, "dnsmasq")
  },
  MadeUp(
    "a connected UDP socket",
    [
      made(.established, "192.0.2.10", to: ("198.51.100.7", 5004), program(9, "gst"), reuseaddr: false, uid: 1000)
    ]
  ) { ($0.transport, $0.port) = (.udp, 40_000) },
  MadeUp(
    "a connected UDP socket with SO_REUSEADDR, planned here",
    [
      made(.established, "192.0.2.10", to: ("198.51.100.7", 5004), program(9, "gst"), uid: 1000)
    ]
  ) { ($0.transport, $0.port, $0.options) = (.udp, 40_000, .reuseaddr) },
  MadeUp(
    "a connected and another UDP socket",
    [
      made(.established, "192.0.2.10", to: ("198.51.100.7", 5004), program(10, "gst"), reuseaddr: false, uid: 1000),
      made(.close, server, reuseaddr: false),
    ]
  ) { $0.transport = .udp },
  MadeUp("a UDP port that clients get") { ($0.transport, $0.port) = (.udp, 40_000) },
  MadeUp("a UDP port, find another", [made(.close, server)]) { ($0.transport, $0.port) = (.udp, 40_000) },
  MadeUp(
    "a UDP socket of a VXLAN interface",
    [
      made(.close, reuseaddr: nil, reuseport: nil, owner: .kernel) {
        $0.kernelOwner = KernelOwner(kind: .vxlan, interface: "vx0")
      }
    ]
  ) { ($0.transport, $0.port) = (.udp, 4789) },
  MadeUp(
    "a UDP socket of a GENEVE interface",
    [
      made(.close, reuseaddr: nil, reuseport: nil, owner: .kernel) {
        $0.kernelOwner = KernelOwner(kind: .geneve, interface: "gnv0")
      }
    ]
  ) { ($0.transport, $0.port, $0.options) = (.udp, 6081, .reuseaddr) },
  MadeUp(
    "a UDP socket of a bareudp interface",
    [
      made(.close, reuseaddr: nil, reuseport: nil, owner: .kernel) {
        $0.kernelOwner = KernelOwner(kind: .bareudp, interface: "bare0")
      }
    ]
  ) { ($0.transport, $0.port) = (.udp, 6635) },
  MadeUp(
    "a UDP socket of WireGuard",
    [
      made(.close, reuseaddr: nil, reuseport: nil, owner: .kernel) {
        $0.kernelOwner = KernelOwner(kind: .wireguard, interface: "wg0")
      }
    ]
  ) { ($0.transport, $0.port) = (.udp, 51_820) },
  MadeUp(
    "a UDP socket of IPVS, asked by a user",
    [
      made(.close, reuseaddr: nil, reuseport: nil, owner: .kernel) {
        $0.kernelOwner = KernelOwner(kind: .ipvs, interface: "eth0")
      }
    ]
  ) {
    asAlice(&$0)
    ($0.transport, $0.port) = (.udp, 8848)
  },
  MadeUp(
    "the kernel's NFS server",
    [
      made(.listen, reuseaddr: nil, reuseport: nil, owner: .kernel) { $0.kernelOwner = KernelOwner(kind: .nfsd) }
    ]
  ) { $0.port = 2049 },
  MadeUp(
    "the kernel's lock manager",
    [
      made(.listen, reuseaddr: nil, reuseport: nil, owner: .kernel) { $0.kernelOwner = KernelOwner(kind: .lockd) }
    ]
  ) { $0.options = .reuseport },
  MadeUp("the kernel, for whatever", [made(.listen, reuseaddr: nil, reuseport: nil, owner: .kernel)]),
  MadeUp(
    "a hidden socket on the port of WireGuard",
    [
      made(.close, reuseaddr: nil, reuseport: nil, owner: .hidden)
    ]
  ) {
    asAlice(&$0)
    ($0.transport, $0.port) = (.udp, 51_820)
  },
]
