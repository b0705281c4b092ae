/// The sockets of one or more ports and the facts of their host, at one moment.
///
/// The sockets of each transport and family stand in the order of the kernel's dump: for UDP that is the order
/// in which bind(2) examines them (kernel function `udp_lib_lport_inuse`).
package struct Snapshot: Sendable, Hashable {
  /// The facts of the host.
  package var host: HostFacts
  /// What could be seen.
  package var visibility: Visibility
  /// The sockets of one port.
  package var sockets: [SocketObservation]
  /// The bind buckets of the port that were read, at most one for each layer-3 domain; empty where none could be.
  package var buckets: [BindBucket]
  /// Whether UDP sockets of both families stand in the one order in which bind(2) examines them.
  package var isChainOrdered: Bool

  package init(
    host: HostFacts, visibility: Visibility = Visibility(), sockets: [SocketObservation], buckets: [BindBucket] = [],
    isChainOrdered: Bool = false
  ) {
    self.host = host
    self.visibility = visibility
    self.sockets = sockets
    self.buckets = buckets
    self.isChainOrdered = isChainOrdered
  }
}
