import SocketModel
import Testing

struct PortTests {
  @Test("a port is read from decimal digits alone")
  func decimal() {
    #expect(
      Port(decimal: "0") == Port(0) && Port(decimal: "65535") == Port(65535) && Port(decimal: "080") == Port(80))
    for text: Substring in ["", "+80", "-80", " 80", "80 ", "65536", "8_0", "0x50", "\u{0668}\u{0660}"] {
      #expect(Port(decimal: text) == nil, "\(text)")
    }
  }
}

struct ByTransportTests {
  @Test("of each transport one has its own value, and nil takes it away")
  func values() {
    var values = ByTransport(TransportProtocol.allCases, 1)
    values[.udp] = 2
    #expect(values.tcp == 1 && values[.udp] == 2 && values.transports == [.tcp, .udp])
    values[.tcp] = nil
    #expect(values.tcp == nil && values.transports == [.udp])
  }

  @Test("the hull covers the ranges of both, and the gap between them; only a range contains a port")
  func hull() {
    typealias Ranges = ByTransport<ClosedRange<UInt16>>
    let both = Ranges(tcp: 80...90, udp: 53...53)
    #expect(both.hull == 53...90 && Ranges(udp: 53...53).hull == 53...53 && Ranges().hull == nil)
    #expect(both.contains(53) && both.contains(90) && !both.contains(60) && !Ranges().contains(0))
  }
}
