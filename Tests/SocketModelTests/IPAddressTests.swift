import Glibc
import SocketModel
import Testing

@Suite("IP addresses as text")
struct IPAddressTests {
  static let samples: [(text: String, canonical: String?)] = [
    ("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"),
    ("127.1", nil), ("256.0.0.1", nil), ("01.2.3.4", nil), ("1.2.3.4.5", nil), ("1.2.3.", nil), ("", nil),
    ("::", "::"), ("::1", "::1"), ("fe80::1", "fe80::1"), ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
    ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"), ("::ffff:1.2.3.4", "::ffff:1.2.3.4"),
    ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"), ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"), ("1::2::3", nil),
    (":1::2", nil), ("1:2:3:4:5:6:7:8:9", nil), ("12345::", nil), ("1:2:3:4:5:6:7:8::", nil), ("1:", nil),
    (":", nil), (":::", nil), ("::1%eth0", nil), ("1.2.3.4::", nil), ("::1.2.3", nil), ("g::", nil),
  ]

  @Test("are read and written as inet_pton(3) and RFC 5952 do", arguments: samples)
  func sample(_ sample: (text: String, canonical: String?)) {
    #expect(IPAddress(sample.text)?.description == sample.canonical)
    var buffer = in6_addr()
    let family = sample.text.contains(":") ? AF_INET6 : AF_INET
    #expect((inet_pton(family, sample.text, &buffer) == 1) == (sample.canonical != nil))
  }

  @Test("a random address survives being written and read")
  func roundTrip() {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<2000 {
      let mask = UInt64.random(in: 0...UInt64.max, using: &generator)
      let sparse = { UInt64.random(in: 0...UInt64.max, using: &generator) & mask }
      let address = IPv6Address(high: sparse(), low: sparse())
      #expect(IPv6Address(address.description) == address)
      var raw = in6_addr()
      #expect(inet_pton(AF_INET6, address.description, &raw) == 1)
    }
  }
}
