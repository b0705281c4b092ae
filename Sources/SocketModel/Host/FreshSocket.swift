/// What a socket has in the place of the reader as soon as it is made, before anything is set: what programs of the control
/// group (BPF_CGROUP_INET_SOCK_CREATE, as `ip vrf exec` has one), seccomp filters and sysctls make of socket(2).
package struct FreshSocket: Sendable, Hashable {
  /// SOCK_STREAM for TCP, SOCK_DGRAM for UDP.
  package var transport: TransportProtocol
  /// AF_INET or AF_INET6.
  package var family: AddressFamily
  /// What socket(2) fails with; nil where it makes one.
  package var refusal: SystemError?
  /// SO_BINDTOIFINDEX; nil for no device.
  package var device: InterfaceIndex?
  /// IPV6_V6ONLY; nil for AF_INET.
  package var v6only: Bool?
  /// The options that are not set here as they are elsewhere.
  package var oddOptions: [OddOption] = []

  /// A fresh socket as it was read.
  package init(
    _ transport: TransportProtocol, _ family: AddressFamily, refusal: SystemError? = nil,
    device: InterfaceIndex? = nil, v6only: Bool? = nil
  ) {
    self.transport = transport
    self.family = family
    self.refusal = refusal
    self.device = device
    self.v6only = v6only
  }
}

/// An option that setsockopt(2) does not set in a place: a seccomp filter or a program of the control group
/// (BPF_CGROUP_SETSOCKOPT) refuses it, or keeps it from the kernel; or one that every socket has there from the start.
package struct OddOption: Sendable, Hashable {
  package enum Name: String, Sendable, Hashable, CaseIterable {
    case reuseaddr = "SO_REUSEADDR"
    case reuseport = "SO_REUSEPORT"
    case v6only = "IPV6_V6ONLY"
    /// To the planned device.
    case device = "SO_BINDTODEVICE"
  }

  package var name: Name
  /// What setsockopt(2) fails with; nil where it says that it worked.
  package var refusal: SystemError?
  /// What a fresh socket has; false for a device.
  package var initially: Bool
  /// What it has once the other value was set.
  package var afterwards: Bool

  /// An option as it was tried.
  package init(_ name: Name, refusal: SystemError?, initially: Bool, afterwards: Bool) {
    self.name = name
    self.refusal = refusal
    self.initially = initially
    self.afterwards = afterwards
  }
}

/// What a seccomp filter makes of calls with a descriptor that there is not: where the kernel is reached it says EBADF.
package struct FilteredCalls: Sendable, Hashable {
  /// Whether it was seen; not where the filter kills who calls, or who tried was not back in time.
  package var areKnown: Bool
  /// What bind(2) fails with; nil where the filter lets it pass.
  package var bind: SystemError?
  /// The same of listen(2).
  package var listen: SystemError?

  /// What was seen.
  package init(areKnown: Bool, bind: SystemError? = nil, listen: SystemError? = nil) {
    self.areKnown = areKnown
    self.bind = bind
    self.listen = listen
  }
}

extension FreshSocket {
  /// What is odd about an option; nil where it is set as usual.
  package func odd(_ name: OddOption.Name) -> OddOption? { oddOptions.first { $0.name == name } }
}

extension HostFacts {
  /// The fresh socket of this kind; nil where none was made.
  package func freshSocket(_ transport: TransportProtocol, _ family: AddressFamily) -> FreshSocket? {
    freshSockets?.first { $0.transport == transport && $0.family == family }
  }
}
