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

struct ListenersTests {
  private func socket(_ address: String, _ state: SocketState, port: UInt16 = 80) -> SocketObservation {
    let address = IPAddress(address) ?? .v4(.any)
    return SocketObservation(
      transport: .tcp, family: address.family, local: Endpoint(address: address, port: Port(port)), remote: nil,
      state: state, reuseaddr: .known(true, .getsockopt), reuseport: .known(false, .getsockopt), inode: 1)
  }

  @Test("a connection may come from a listener on its address or on the wildcard of its family")
  func places() {
    let sockets = ["10.0.0.1", "::", "10.0.0.2", "0.0.0.0", "10.0.0.2"].map { socket($0, .listen) }
    let listeners = Listeners(sockets)
    func found(_ address: String, port: UInt16 = 80) -> [Int?] {
      let child = socket(address, .established, port: port)
      return [listeners.first(of: child), listeners.only(of: child)]
    }
    #expect(found("10.0.0.1") == [0, nil] && found("10.0.0.2") == [2, nil] && found("10.0.0.3") == [3, 3])
    #expect(found("fd00::1") == [1, 1] && found("10.0.0.1", port: 81) == [nil, nil])
    #expect(Listeners(sockets) { $0.family == .ipv6 }.first(of: socket("10.0.0.1", .established)) == nil)
  }
}

struct KernelVersionTests {
  @Test(
    "a version is read from uname(2), the stable release from Debian's package where the release does not tell",
    arguments: [
      ("6.12.117+deb13-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.117-1 (2026-11-12)", 6, 12, 117),
      ("6.1.0-56-cloud-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)", 6, 1, 192),
      ("6.1.0-56-cloud-amd64", "", 6, 1, nil), ("6.8.0-31-generic", "#31-Ubuntu SMP PREEMPT_DYNAMIC Sat", 6, 8, nil),
      ("6.1.50", "#1 SMP Debian 6.1.99-1", 6, 1, 50), ("6.1.0", "#1 SMP Debian 6.2.99-1", 6, 1, nil),
      ("6.1.0", "#1 SMP Debian ", 6, 1, nil), ("7.2-rc3", "", 7, 2, nil), ("6.18.44.1", "", 6, 18, 44),
      ("6.1-rc3.5", "", 6, 1, nil), ("6.1.0", "#1 SMP Debian 6.1x.99-1", 6, 1, nil),
      ("6.1.0", "#1 SMP Debian 6.1.00192-2", 6, 1, 192),
    ] as [(String, String, Int, Int, Int?)])
  func versions(release: String, version: String, major: Int, minor: Int, stable: Int?) throws {
    let kernel = try #require(KernelVersion(release: release, version: version))
    #expect(kernel.major == major && kernel.minor == minor && kernel.stable == stable)
    #expect(kernel.release == release)
  }

  @Test(
    "a kernel is Debian's where its package is of the same series",
    arguments: [
      ("5.10.0-46-amd64", "#1 SMP Debian 5.10.262-1 (2026-07-31)", true),
      ("5.10.0", "#1 SMP Debian 6.1.192-2", false),
      ("5.10.250", "#1 SMP", false), ("5.15.0-100-generic", "#110-Ubuntu SMP", false), ("5.10.0", nil, false),
    ] as [(String, String?, Bool)])
  func debian(release: String, version: String?, isDebians: Bool) throws {
    #expect(try #require(KernelVersion(release: release, version: version)).isDebians == isDebians)
  }

  @Test("what has not two numbers is no version", arguments: ["", "6", "six.one", ".1", "6."])
  func none(release: String) {
    #expect(KernelVersion(release: release) == nil)
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

struct TextSearchTests {
  @Test(
    "a text is found at its first place, and only whole",
    arguments: [
      ("abcabc", "bc", 1), ("abc", "abc", 0), ("aab", "ab", 1), ("ab", "abc", nil), ("", "a", nil), ("ab", "", 0),
      ("é@.x", "@.", 2),
    ] as [(String, String, Int?)])
  func place(_ text: String, _ sought: String, _ expected: Int?) {
    let place = text[...].place(of: sought)
    #expect(place.map { text.utf8.distance(from: text.startIndex, to: $0.lowerBound) } == expected)
    if let place { #expect(text[place] == sought) }
  }
}
