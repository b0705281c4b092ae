import BindRules
package import SocketModel

/// Where a program runs that binds: what a fresh socket has there, and what the program may do.
package enum Place: Sendable, Hashable, CustomStringConvertible {
  case open
  /// In a control group whose sockets get this device as they are made, as under `ip vrf exec` (ip-vrf(8)).
  case givesDevice(LabDevice)
  /// socket(2) of this family is refused (seccomp(2), systemd's RestrictAddressFamilies=), with EAFNOSUPPORT or what else
  /// the filter says (an OCI profile's errnoRet).
  case withoutFamily(AddressFamily, errno: Int32 = usualRefusal)
  /// The bounding set lacks CAP_NET_BIND_SERVICE (capabilities(7)).
  case withoutBindInBounds
  /// uid 0 is like any other user (SECBIT_NOROOT), and has not got CAP_NET_BIND_SERVICE otherwise.
  case withoutRoot
  /// A program of the control group refuses setsockopt(2) of the option, or only says that it worked.
  case spoilsOption(Option, swallows: Bool)
  /// The system call fails (seccomp(2), systemd's SystemCallFilter=).
  case forbidsCall(Call, errno: Int32)

  package enum Option: String, Sendable, Hashable, CaseIterable {
    case reuseaddr, reuseport, device
  }

  package enum Call: String, Sendable, Hashable, CaseIterable {
    case bind, listen, setsockopt
  }

  package static let usualRefusal: Int32 = 97  // EAFNOSUPPORT
  /// EPERM, EACCES, EINVAL, EPROTONOSUPPORT, EOPNOTSUPP.
  package static let otherRefusals: [Int32] = [1, 13, 22, 93, 95]

  /// EPERM, EACCES, ENOSYS, EINVAL; 0 for a filter that kills who calls.
  package static let callErrors: [Int32] = [1, 13, 38, 22, 0]

  /// The word of the command line.
  package var description: String {
    switch self {
    case .open: "open"
    case .givesDevice(let device): "device-\(device.rawValue)"
    case .withoutFamily(let family, let errno):
      (family == .ipv4 ? "no-ipv4" : "no-ipv6") + (errno == Self.usualRefusal ? "" : "-\(errno)")
    case .withoutBindInBounds: "no-bind-capability"
    case .withoutRoot: "no-root"
    case .spoilsOption(let option, let swallows): "\(swallows ? "swallows" : "refuses")-\(option.rawValue)"
    case .forbidsCall(let call, let errno): "no-\(call.rawValue)-\(errno)"
    }
  }

  /// The place with this word; nil for none.
  package init?(_ word: String) {
    let all: [Place] =
      [.open, .withoutBindInBounds, .withoutRoot]
      + Option.allCases.flatMap { [.spoilsOption($0, swallows: true), .spoilsOption($0, swallows: false)] }
      + Call.allCases.flatMap { call in Self.callErrors.map { .forbidsCall(call, errno: $0) } }
      + [AddressFamily.ipv4, .ipv6].flatMap { family in
        ([Self.usualRefusal] + Self.otherRefusals).map { .withoutFamily(family, errno: $0) }
      }
      + LabDevice.allCases.map { .givesDevice($0) }
    guard let place = all.first(where: { $0.description == word }) else { return nil }
    self = place
  }

  /// Brings the calling process there, for good; a process of one thread.
  package func enter() throws(SystemError) {
    switch self {
    case .open: break
    case .givesDevice(let device):
      try SystemCalls.enterGroup(givingDevice: SystemCalls.interfaceIndex(device.rawValue))
    case .withoutFamily(let family, let errno): try SystemCalls.forbidFamily(family == .ipv4 ? 2 : 10, errno)
    case .withoutBindInBounds: try SystemCalls.dropCapability(10, bounds: true)
    case .withoutRoot:
      try SystemCalls.forgetRoot()
      try SystemCalls.dropCapability(10, bounds: false)
    case .spoilsOption(let option, let swallows): try SystemCalls.enterGroup(spoiling: option, swallows: swallows)
    case .forbidsCall(let call, let errno): try SystemCalls.forbidCall(call, errno)
    }
  }

  /// Removes what places of this process's children, which have ended, left behind.
  package static func removeRemains() { SystemCalls.removeGroups() }
}

/// Takes these capabilities from the calling thread for good (capability.h).
package func dropCapabilities(_ numbers: [Int32]) throws(SystemError) {
  for number in numbers { try SystemCalls.dropCapability(number, bounds: false) }
}

/// Becomes another user for good, without groups and capabilities.
package func becomeUser(_ uid: UInt32) throws(SystemError) { try SystemCalls.becomeUser(uid) }

/// Moves the calling thread out of its network namespace into a fresh one; the path of the one it left.
package func leaveNetworkNamespace() throws(SystemError) -> String { try SystemCalls.leaveNetwork() }

/// The number of an interface in the calling thread's network namespace; 0 for none.
package func interfaceNumber(_ name: String) -> UInt32 { SystemCalls.interfaceIndex(name) }
