import Netlink
import SocketModel
import Testing

@Suite("A request")
struct RequestTests {
  @Test("for one family is inet_diag_req_v2 with every state and an S_EQ of the port")
  func sockDiag() {
    let bytes = SocketDumpRequest(.family(.tcp, .ipv6), ports: 8080...8080).encoded(sequence: 0x0102_0304)
    let expected: [UInt8] =
      [84, 0, 0, 0, 20, 0, 0x01, 0x03, 4, 3, 2, 1, 0, 0, 0, 0]  // nlmsghdr: REQUEST|DUMP, the sequence number
      + [10, 6, 0, 0, 0xfe, 0x3f, 0, 0]  // AF_INET6, IPPROTO_TCP, no extension, states 1...13
      + Array(repeating: 0, count: 48)  // inet_diag_sockid, unused
      + [12, 0, 1, 0, 11, 8, 12, 0, 0, 0, 0x90, 0x1f]  // INET_DIAG_REQ_BYTECODE: S_EQ, the port in the next op
    #expect(bytes == expected)
  }

  @Test("for a range of UDP ports compares with S_GE and S_LE")
  func range() {
    let bytes = SocketDumpRequest(.family(.udp, .ipv4), ports: 1...256).encoded(sequence: 1)
    #expect(bytes.count == 92 && Array(bytes[16..<20]) == [2, 17, 0, 0])
    #expect(
      Array(bytes[72...]) == [20, 0, 1, 0, 2, 8, 20, 0, 0, 0, 1, 0, 3, 8, 12, 0, 0, 0, 0, 1])
  }

  @Test("for all ports has no bytecode", arguments: [nil, 0...65535] as [ClosedRange<UInt16>?])
  func allPorts(_ ports: ClosedRange<UInt16>?) {
    #expect(SocketDumpRequest(.family(.udp, .ipv4), ports: ports).encoded(sequence: 1).count == 72)
  }

  @Test("for TCP of both families is the first form, inet_diag_req")
  func bothFamilies() {
    let request = SocketDumpRequest(.tcpOfBothFamilies, ports: 7...7)
    let bytes = request.encoded(sequence: 1)
    #expect(request.type.rawValue == 18 && bytes.count == 16 + 60 + 12 && bytes[4] == 18)
    #expect(Array(bytes[16..<20]) == [0, 0, 0, 0], "INET_DIAG_INFO would take the lock of every connection")
    #expect(Array(bytes[68..<76]) == [0xfe, 0x3f, 0, 0, 0, 0, 0, 0])
  }

  @Test("for routes names family and table, everything else 0 as strict checking wants")
  func routes() {
    let bytes = RouteDumpRequest.ipv4Routes(table: 1001).encoded(sequence: 1)
    let expected: [UInt8] =
      [36, 0, 0, 0, 26, 0, 1, 3, 1, 0, 0, 0, 0, 0, 0, 0, 2] + Array(repeating: 0, count: 11)
      + [8, 0, 15, 0, 0xe9, 3, 0, 0]
    #expect(bytes == expected)
    let addresses = RouteDumpRequest.ipv6Addresses.encoded(sequence: 1)
    #expect(addresses.count == 24 && addresses[4] == 22 && addresses[16] == 10)
    let links = RouteDumpRequest.interfaces.encoded(sequence: 1)
    #expect(links.count == 40 && links[4] == 18 && Array(links[32...]) == [8, 0, 29, 0, 8, 0, 0, 0])
  }

  @Test("for one address is no dump, names all 32 bits and wants the table; for the rules only the family")
  func lookup() {
    let lookup = RouteDumpRequest.ipv4Lookup(IPv4Address(127, 0, 0, 6))
    let expected: [UInt8] =
      [36, 0, 0, 0, 26, 0, 1, 0, 7, 0, 0, 0, 0, 0, 0, 0, 2, 32] + [0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0]
      + [8, 0, 1, 0, 127, 0, 0, 6]
    #expect(lookup.encoded(sequence: 7) == expected && lookup.replyType == .newRoute)
    let rules = RouteDumpRequest.ipv4Rules
    #expect(
      rules.encoded(sequence: 7).count == 28 && rules.encoded(sequence: 7)[4] == 34 && rules.replyType == .newRule)
  }
}
