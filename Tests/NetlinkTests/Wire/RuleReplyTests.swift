import Netlink
import Testing

@Suite("A routing rule")
struct RuleReplyTests {
  /// fib_rule_hdr: AF_INET, table main, FR_ACT_TO_TBL; then FRA_TABLE, FRA_SUPPRESS_PREFIXLEN (none), FRA_PROTOCOL
  /// (kernel) and FRA_PRIORITY, as the kernel writes the rule that looks up main.
  private let main: [UInt8] =
    [2, 0, 0, 0, 254, 0, 0, 1, 0, 0, 0, 0] + [8, 0, 15, 0, 254, 0, 0, 0] + [8, 0, 14, 0, 255, 255, 255, 255]
    + [5, 0, 21, 0, 2, 0, 0, 0] + [8, 0, 6, 0, 0xfe, 0x7f, 0, 0]

  private func rule(_ edit: (inout [UInt8]) -> Void = { _ in }) throws -> RoutingRule {
    var bytes = main
    edit(&bytes)
    return try payload(bytes)
  }

  private func payload(_ bytes: [UInt8]) throws -> RoutingRule {
    try parsed([UInt8(16 + bytes.count), 0, 0, 0, 32, 0, 2, 0] + Array(repeating: 0, count: 8) + bytes) {
      (bytes, payload) throws(WireError) in try RoutingRule(parsing: bytes, payload)
    }
  }

  @Test("of those a namespace starts with is recognised")
  func defaults() throws {
    #expect(try rule() == RoutingRule.defaults[1])
  }

  @Test("with a selector, another action or an attribute that is not known is not one of them")
  func conditional() throws {
    #expect(try !rule { $0[2] = 24 }.isUnconditional, "a source")
    #expect(try !rule { $0[7] = 6 }.isUnconditional, "blackhole")
    #expect(try !rule { $0[8] = 2 }.isUnconditional, "inverted")
    #expect(try !rule { $0[24] = 0 }.isUnconditional, "suppresses prefixes")
    #expect(try !rule { $0 += [8, 0, 10, 0, 1, 0, 0, 0] }.isUnconditional, "a firewall mark")
  }

  @Test("that is cut off is an error")
  func cutOff() {
    for length in 0..<12 {
      #expect(throws: WireError.self) { try payload(Array(main[..<length])) }
    }
  }
}
