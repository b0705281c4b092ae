package import SocketModel

/// One of the kernel's netlink families that are asked here (netlink(7)).
package enum NetlinkFamily: String, Sendable, Hashable, CaseIterable {
  /// NETLINK_SOCK_DIAG, sock_diag(7).
  case sockDiag = "sock_diag"
  /// NETLINK_ROUTE, rtnetlink(7).
  case route = "rtnetlink"
  /// NETLINK_GENERIC, genetlink: here WireGuard and IPVS.
  case generic = "generic netlink"
}

/// Why the kernel could not be read over netlink.
package enum NetlinkError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The kernel lacks the interface, or a filter (seccomp(2)) or security module forbids it.
  case interfaceMissing(NetlinkFamily, SystemError)
  /// The kernel knows the interface and refused the request.
  case refused(NetlinkFamily, SystemError)
  /// Another error of a system call.
  case systemCall(String, SystemError)
  /// The reply is cut off or is not what the kernel's headers promise.
  case malformedReply(WireError)
  /// What was read changed each time while it was read (NLM_F_DUMP_INTR, ENOBUFS).
  case staysInterrupted(NetlinkFamily)

  /// The errors with which socket(2) or a dump says that the interface is not there or not to be used.
  private static let absence: Set<Int32> = [
    1,  // EPERM
    2,  // ENOENT: no handler for this protocol, and none could be loaded
    13,  // EACCES
    38,  // ENOSYS
    93,  // EPROTONOSUPPORT
    97,  // EAFNOSUPPORT
  ]

  init(_ family: NetlinkFamily, socket error: SystemError) {
    self = Self.absence.contains(error.rawValue) ? .interfaceMissing(family, error) : .systemCall("socket", error)
  }

  init(_ family: NetlinkFamily, dump error: SystemError) {
    self = Self.absence.contains(error.rawValue) ? .interfaceMissing(family, error) : .refused(family, error)
  }

  package var description: String {
    switch self {
    case .interfaceMissing(let family, let error): "the kernel's \(family.rawValue) interface is missing: \(error)"
    case .refused(let family, let error): "\(family.rawValue) refused the request: \(error)"
    case .systemCall(let name, let error): "\(name): \(error)"
    case .malformedReply(let error): "malformed netlink reply: \(error)"
    case .staysInterrupted(let family): "\(family.rawValue) kept changing while it was read"
    }
  }
}
