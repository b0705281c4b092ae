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

extension HostFacts {
  /// The fresh socket of this kind; nil where none was made.
  package func freshSocket(_ transport: TransportProtocol, _ family: AddressFamily) -> FreshSocket? {
    freshSockets?.first { $0.transport == transport && $0.family == family }
  }
}
