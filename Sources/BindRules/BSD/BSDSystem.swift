import SocketModel

/// A BSD under whose rules the same sockets can be judged. The kernels agree within each case.
package enum BSDSystem: String, Sendable, Hashable, CaseIterable {
  /// FreeBSD 13.
  case freebsd13
  /// FreeBSD 14.0 to 14.2.
  case freebsd14 = "freebsd14.0"
  /// FreeBSD 14.3, 15, and the main branch up to July 2026.
  case freebsd
  /// Darwin (xnu-4903 to xnu-11417): macOS 10.14 to 15.
  case macos

  /// The name for people, with the releases that are meant.
  package var description: String {
    switch self {
    case .freebsd13: "FreeBSD 13"
    case .freebsd14: "FreeBSD 14.0 to 14.2"
    case .freebsd: "FreeBSD"
    case .macos: "macOS"
    }
  }

  /// IPV6_V6ONLY of a new AF_INET6 socket, `net.inet6.ip6.v6only`.
  package var isV6onlyByDefault: Bool { self != .macos }

  /// Every combination of the options that the system has, in the order of the report: those of Linux first.
  package var combinations: [BSDOptions] {
    let common: [BSDOptions] = [[], .reuseaddr, .reuseport, [.reuseaddr, .reuseport]]
    return self == .macos
      ? common : common + [.reuseportLB, [.reuseaddr, .reuseportLB], [.reuseport, .reuseportLB]]
  }

  /// The earlier releases of the same system, whose answers may differ.
  package var earlier: [BSDSystem] {
    switch self {
    case .freebsd: [.freebsd13, .freebsd14]
    case .freebsd14: [.freebsd13]
    case .freebsd13, .macos: []
    }
  }
}

extension BSDSystem {
  /// A wildcard socket with SO_REUSEPORT_LB is no stranger's in the user check: until 14.2.
  var exemptsReuseportLBFromUserCheck: Bool { self == .freebsd13 || self == .freebsd14 }

  /// A connection of another user is no stranger's in the user check, for TCP.
  var exemptsConnectionsFromUserCheck: Bool { self != .macos }

  /// What INP_LOOKUP_MAPPED_PCB_COST adds to a socket of both families in a search for IPv4.
  var costOfDualSocket: Int { self == .macos ? 0 : 3 }

  /// The errno for a scope id that names no interface, `sa6_embedscope`.
  var missingScope: SystemError { self == .macos ? .invalidArgument : .noDeviceOrAddress }
}
