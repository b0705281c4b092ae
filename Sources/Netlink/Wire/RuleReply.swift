/// An IPv4 routing rule, as far as it can be one of those a namespace starts with (`linux/fib_rules.h`).
package struct RoutingRule: Sendable, Hashable {
  /// FRA_PRIORITY.
  package var priority: UInt32
  /// The table that is looked up.
  package var table: UInt32
  /// It looks up `table` for every packet: no selector, no other action.
  package var isUnconditional: Bool

  package init(priority: UInt32, table: UInt32, isUnconditional: Bool) {
    self.priority = priority
    self.table = table
    self.isUnconditional = isUnconditional
  }

  /// What `fib_default_rules_init` makes: local, main, default.
  package static let defaults: [RoutingRule] = [
    RoutingRule(priority: 0, table: RouteAttribute.localTable, isUnconditional: true),
    RoutingRule(priority: 32766, table: RouteAttribute.mainTable, isUnconditional: true),
    RoutingRule(priority: 32767, table: RouteAttribute.defaultTable, isUnconditional: true),
  ]
}

/// The numbers of the rule attributes that are read here (`linux/fib_rules.h`).
private enum RuleAttribute {
  static let priority: UInt16 = 6  // FRA_PRIORITY
  static let suppressPrefixLength: UInt16 = 14  // FRA_SUPPRESS_PREFIXLEN, in every rule; none is ~0
  static let table: UInt16 = 15  // FRA_TABLE
  static let padding: UInt16 = 18  // FRA_PAD
  static let origin: UInt16 = 21  // FRA_PROTOCOL
}

//  struct fib_rule_hdr
//   0  u8 family, u8 dst_len, u8 src_len, u8 tos
//   4  u8 table, u8 0, u8 0, u8 action
//   8  u32 flags
//  12  attributes

extension RoutingRule {
  /// Reads the payload of one RTM_NEWRULE message; an attribute that is not known here counts as a selector.
  package init(parsing bytes: Span<UInt8>, _ payload: Range<Int>) throws(WireError) {
    var attributes = try AttributeCursor(after: 12, in: payload)
    let start = payload.lowerBound
    let lookUp: UInt8 = 1  // FR_ACT_TO_TBL
    let action = try bytes.uint8(at: start + 7, in: payload, "action")
    let flags = try bytes.uint32(at: start + 8, in: payload, "flags")
    var isUnconditional = action == lookUp && flags == 0
    for offset in 1...3 where try bytes.uint8(at: start + offset, in: payload, "a selector") != 0 {
      isUnconditional = false
    }
    var table = UInt32(try bytes.uint8(at: start + 4, in: payload, "table"))
    var priority: UInt32 = 0
    while let attribute = try attributes.next(in: bytes) {
      let value = attribute.payload
      switch attribute.type {
      case RuleAttribute.priority:
        priority = try bytes.uint32(at: value.lowerBound, in: value, "FRA_PRIORITY")
      case RuleAttribute.table:
        table = try bytes.uint32(at: value.lowerBound, in: value, "FRA_TABLE")
      case RuleAttribute.suppressPrefixLength:
        if try bytes.uint32(at: value.lowerBound, in: value, "FRA_SUPPRESS_PREFIXLEN") != .max {
          isUnconditional = false
        }
      case RuleAttribute.padding, RuleAttribute.origin: break
      default: isUnconditional = false
      }
    }
    self.init(priority: priority, table: table, isUnconditional: isUnconditional)
  }
}
