import NetlinkWire
public import SocketModel

/// Reads interfaces, addresses and routes of the calling thread's network namespace over rtnetlink(7).
public struct RouteDump: Sendable {
  private let transport: NetlinkTransport

  public init(transport: NetlinkTransport = .kernel) { self.transport = transport }

  /// Every interface, in the kernel's order.
  public func interfaces() throws(NetlinkError) -> [NetworkInterface] {
    try dump(.interfaces) { (bytes, payload) throws(WireError) in try NetworkInterface(parsing: bytes, payload) }
  }

  /// The IPv6 addresses of every interface; empty where the kernel has no IPv6.
  public func ipv6Addresses() throws(NetlinkError) -> [InterfaceAddress] {
    try dump(.ipv6Addresses) { (bytes, payload) throws(WireError) in try InterfaceAddress(parsing: bytes, payload) }
  }

  /// The IPv4 routes of one table: 255 is `local`, which decides what may be bound outside every VRF
  /// (`inet_addr_type_table`). Empty for a table that does not exist.
  public func ipv4LocalRoutes(table: UInt32 = 255) throws(NetlinkError) -> [LocalRoute] {
    do throws(NetlinkError) {
      return try dump(.ipv4Routes(table: table), isStrict: true) { (bytes, payload) throws(WireError) in
        guard let route = try LocalRoute(parsing: bytes, payload), route.table == table else { return nil }
        return route
      }
    } catch .interfaceMissing(_, .noEntry) {
      return []
    }
  }

  private func dump<Value>(
    _ request: RouteDumpRequest, isStrict: Bool = false,
    decode: (Span<UInt8>, Range<Int>) throws(WireError) -> Value?
  ) throws(NetlinkError) -> [Value] {
    let dump = NetlinkDump(
      family: .route, replyType: request.replyType, isStrict: isStrict, transport: transport)
    return try dump.values(request: request.encoded, decode: decode)
  }
}
