import SocketModel

/// A socket as bind(2) sees it: the fields of the kernel's `struct sock` that its rules read, all of them known.
struct KernelSocket: Hashable {
  /// What the rules distinguish of `sk_state`.
  enum State: Hashable {
    case listen
    /// TIME_WAIT, and the FIN_WAIT2 that is a `struct inet_timewait_sock` too.
    case timeWait
    case other
  }

  /// `sk_family`.
  var family: AddressFamily
  /// `sk_v6_rcv_saddr`; for AF_INET the IPv4-mapped form of `sk_rcv_saddr`, as the bind table keeps it.
  var receiveAddress: IPv6Address
  /// `sk_ipv6only`; false for AF_INET.
  var ipv6only: Bool
  /// `sk_reuse`.
  var reuse: Bool
  /// `sk_reuseport`.
  var reuseport: Bool
  /// `sk_uid`.
  var uid: UInt32
  /// `sk_bound_dev_if`; nil for 0.
  var boundDevice: InterfaceIndex?
  var state: State

  /// `sk_rcv_saddr`, which AF_INET6 sockets have too: `LOOPBACK4_IPV6` (127.0.0.6) where the address has no IPv4
  /// equivalent (`__inet6_bind`, `tcp_v6_syn_recv_sock`).
  var receiveAddress4: IPv4Address {
    if let mapped = receiveAddress.mapped { return mapped }
    return receiveAddress == .any ? .any : IPv4Address(127, 0, 0, 6)
  }

  /// The kernel's `ipv6_addr_type` as far as the rules look at it.
  var addressType: AddressType {
    if receiveAddress == .any { return .any }
    return receiveAddress.mapped != nil ? .mapped : .other
  }

  enum AddressType: Hashable {
    case any
    case mapped
    case other
  }
}

extension IPAddress {
  /// The address as the bind table keeps it, IPv4 as IPv4-mapped (`inet_bind2_bucket_init`).
  var asReceiveAddress: IPv6Address {
    switch self {
    case .v4(let address): IPv6Address(mapping: address)
    case .v6(let address): address
    }
  }
}
