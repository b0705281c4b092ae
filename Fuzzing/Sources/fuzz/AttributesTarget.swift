@testable import Netlink
@testable import SocketModel

/// A byte for the parser, one that says where the message ends, then its payload.
func fuzzAttributes(_ input: inout FuzzInput) {
  let parser = input.choice(of: 13)
  let cut = Int(input.byte())
  var payload = input.rest()
  if cut > 0 {
    cutOff(&payload, after: cut >> 3, by: cut & 7, fixed: [72, 72, 72, 16, 8, 12, 12, 12, 16][safe: parser])
  }
  let before = [UInt8](repeating: 0xa5, count: 16)
  let range = 16..<16 + payload.count
  let alone = result(parser, before + payload, range)
  // What follows in the datagram is of other messages and decides nothing.
  require(
    alone == result(parser, before + payload + [UInt8](repeating: 0x5a, count: 16), range),
    "a message is read without its neighbours")
  fuzzCursor(before + payload, range)
}

/// Makes one attribute the last, and shorter by so many bytes, with lengths that are right: what reads on behind a value
/// then leaves the message.
private func cutOff(_ payload: inout [UInt8], after number: Int, by bytes: Int, fixed: Int?) {
  var start = fixed ?? 4
  for _ in 0..<number {
    guard start + 4 <= payload.count else { return }
    let length = Int(payload[start]) | Int(payload[start + 1]) << 8
    guard length >= 4, start + length <= payload.count else { return }
    start += (length + 3) / 4 * 4
  }
  guard start + 4 <= payload.count else { return }
  let length = max(4, (Int(payload[start]) | Int(payload[start + 1]) << 8) - bytes)
  guard start + length <= payload.count else { return }
  payload[start] = UInt8(truncatingIfNeeded: length)
  payload[start + 1] = UInt8(truncatingIfNeeded: length >> 8)
  payload.removeLast(payload.count - start - length)
}

extension Array {
  fileprivate subscript(safe index: Int) -> Element? { indices.contains(index) ? self[index] : nil }
}

private func result(_ parser: Int, _ datagram: [UInt8], _ range: Range<Int>) -> Result<AnyHashable, WireError> {
  do throws(WireError) {
    return .success(try parse(parser, datagram, range))
  } catch {
    require((0...datagram.count).contains(error.offset), "an error lies inside the datagram")
    require(!error.expected.isEmpty, "an error says what was expected")
    return .failure(error)
  }
}

private func parse(_ parser: Int, _ datagram: [UInt8], _ range: Range<Int>) throws(WireError) -> AnyHashable {
  let bytes = datagram.span
  switch parser {
  case 0: return try checkedSocket(datagram, range, .tcp)
  case 1: return try checkedSocket(datagram, range, .udp)
  case 2: return try SocketGlance(parsing: bytes, range)
  case 3:
    let interface = try NetworkInterface(parsing: bytes, range)
    require(interface.index.rawValue > 0, "an interface has a number")
    return interface
  case 4:
    let entry = try InterfaceAddress(parsing: bytes, range)
    require(entry.map { $0.address.family == .ipv6 } ?? true, "an IPv6 address")
    return entry
  case 5:
    let route = try LocalRoute(parsing: bytes, range)
    require(route.map { $0.prefixLength <= 32 } ?? true, "a prefix length of IPv4")
    return route
  case 6: return try RoutingRule(parsing: bytes, range)
  case 7: return try RouteLookup(of: .any, parsing: bytes, range)?.type
  case 8: return try TunnelInterface(parsing: bytes, range)
  case 9: return try GenericRequest.familyNumber(of: "wireguard", parsing: bytes, range)
  case 10:
    let port = try GenericRequest.wireguardPort(parsing: bytes, range)
    require(port?.rawValue != 0, "no port is 0")
    return port
  case 11:
    let backup = try GenericRequest.ipvsBackup(parsing: bytes, range)
    return backup.map { [AnyHashable($0.port), AnyHashable($0.interface)] }
  default:
    let message = NetlinkMessage(type: .error, flags: [], sequence: 1, portID: 1, payload: range)
    let error = try message.error(in: bytes)
    require(error.map { $0.rawValue > 0 } ?? true, "an errno is positive")
    return error
  }
}

/// What is read of a socket is what stands at the kernel's offsets, read by other means.
private func checkedSocket(
  _ datagram: [UInt8], _ range: Range<Int>, _ transport: TransportProtocol
) throws(WireError) -> SocketObservation {
  let socket = try SocketObservation(parsing: datagram.span, range, transport: transport)
  let payload = Array(datagram[range])
  func number(_ offset: Int, _ count: Int) -> UInt64 {
    payload[offset..<offset + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
  require(socket.family == (payload[0] == 2 ? .ipv4 : .ipv6), "idiag_family")
  require(socket.state.rawValue == payload[1], "idiag_state")
  require(socket.local.port.rawValue == UInt16(number(4, 2)).byteSwapped, "idiag_sport")
  require(socket.cookie == number(44, 8), "idiag_cookie")
  require(socket.inode ?? 0 == number(68, 4), "idiag_inode")
  require(socket.uid == nil || UInt64(socket.uid ?? 0) == number(64, 4), "idiag_uid")
  require((socket.v6only == nil) == (socket.family == .ipv4), "IPV6_V6ONLY is one of IPv6 sockets")
  let glance = try SocketGlance(parsing: datagram.span, range)
  require(
    glance.port == socket.local.port && glance.state == socket.state && glance.inode == socket.inode,
    "a glance sees the same socket")
  return socket
}

/// The attributes lie in order inside of the message, and walking them ends.
private func fuzzCursor(_ datagram: [UInt8], _ range: Range<Int>) {
  var cursor = AttributeCursor(range)
  var end = range.lowerBound
  do throws(WireError) {
    while let attribute = try cursor.next(in: datagram.span) {
      require(attribute.payload.lowerBound == end + 4, "an attribute follows the one before")
      require(attribute.payload.upperBound <= range.upperBound, "an attribute ends inside of its message")
      require(attribute.type <= 0x3fff, "flags are no part of the number")
      end = min((attribute.payload.upperBound + 3 - 16) / 4 * 4 + 16, range.upperBound)
    }
    require(end == range.upperBound, "all attributes are walked")
  } catch {
    require(range.contains(error.offset) || error.offset == range.upperBound, "an error lies inside the message")
  }
}
