/// What the kernel remembers of the binds of one TCP port in one layer-3 domain (`struct inet_bind_bucket`).
///
/// With it bind(2) lets some sockets pass without looking at the owners, so it decides beside the sockets' own flags.
package struct BindBucket: Sendable, Hashable {
  /// `fastreuseport`.
  package enum FastReuseport: Int8, Sendable, Hashable {
    /// FASTREUSEPORT_ANY: every SO_REUSEPORT socket of `fastUID` passes.
    case any = 1
    /// FASTREUSEPORT_STRICT: those whose address `fastAddress` covers.
    case strict = 2
  }

  /// The port.
  package var port: Port
  /// `l3mdev`: the VRF; nil for none.
  package var layer3Domain: InterfaceIndex?
  /// `fastreuse` > 0: SO_REUSEADDR sockets pass.
  package var fastReuse: Bool
  /// nil where `fastreuseport` is 0 or -1: nobody passes.
  package var fastReuseport: FastReuseport?
  /// `fastuid`, as the initial user namespace has it.
  package var fastUID: UInt32
  /// `fast_sk_family`.
  package var fastFamily: AddressFamily
  /// `fast_v6_rcv_saddr`, or for AF_INET the IPv4-mapped form of `fast_rcv_saddr`.
  package var fastAddress: IPv6Address
  /// `fast_rcv_saddr`.
  package var fastAddress4: IPv4Address
  /// `fast_ipv6_only`.
  package var fastIPv6only: Bool

  package init(
    port: Port, layer3Domain: InterfaceIndex? = nil, fastReuse: Bool, fastReuseport: FastReuseport?,
    fastUID: UInt32, fastFamily: AddressFamily, fastAddress: IPv6Address, fastAddress4: IPv4Address,
    fastIPv6only: Bool
  ) {
    self.port = port
    self.layer3Domain = layer3Domain
    self.fastReuse = fastReuse
    self.fastReuseport = fastReuseport
    self.fastUID = fastUID
    self.fastFamily = fastFamily
    self.fastAddress = fastAddress
    self.fastAddress4 = fastAddress4
    self.fastIPv6only = fastIPv6only
  }
}
