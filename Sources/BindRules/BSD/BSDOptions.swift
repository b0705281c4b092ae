/// The reuse options of a socket on a BSD (`so_options`).
package struct BSDOptions: OptionSet, Sendable, Hashable {
  /// Bit 0 is SO_REUSEADDR, bit 1 SO_REUSEPORT, bit 2 SO_REUSEPORT_LB.
  package let rawValue: UInt8
  /// Takes any value, known or not.
  package init(rawValue: UInt8) { self.rawValue = rawValue }

  /// SO_REUSEADDR.
  package static let reuseaddr = BSDOptions(rawValue: 1)
  /// SO_REUSEPORT, which shares an address but not its traffic.
  package static let reuseport = BSDOptions(rawValue: 2)
  /// SO_REUSEPORT_LB, which shares both. FreeBSD 12.0 and later; macOS has none.
  package static let reuseportLB = BSDOptions(rawValue: 4)

  /// The options of the same names, without SO_REUSEPORT_LB.
  package init(_ options: ReuseOptions) { self.init(rawValue: options.rawValue & 3) }

  /// The same options on Linux; nil with SO_REUSEPORT_LB, which it does not have.
  package var onLinux: ReuseOptions? { contains(.reuseportLB) ? nil : ReuseOptions(rawValue: rawValue) }

  /// The names of the manual, SO_REUSEADDR first; empty for none.
  package var socketOptions: [String] {
    (contains(.reuseaddr) ? ["SO_REUSEADDR"] : []) + (contains(.reuseport) ? ["SO_REUSEPORT"] : [])
      + (contains(.reuseportLB) ? ["SO_REUSEPORT_LB"] : [])
  }
}
