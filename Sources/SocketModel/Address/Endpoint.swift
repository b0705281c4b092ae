/// One end of a socket: an address and a port, and for link-local addresses the interface.
public struct Endpoint: Sendable, Hashable {
  /// The address.
  public var address: IPAddress
  /// The port.
  public var port: Port

  /// `address:port`, without a zone.
  public init(address: IPAddress, port: Port) {
    self.address = address
    self.port = port
  }
}
