internal import SocketModel

/// Whether the host is looked at once, until something works, or again and again.
enum Pace: Hashable {
  case once
  /// `--wait`: milliseconds until it gives up, nil for never.
  case wait(timeout: UInt64?)
  /// `--watch`: milliseconds from one look to the next.
  case watch(interval: UInt64)

  init(_ given: GivenOptions) throws(UsageError) {
    if given.has(.wait) {
      // A year: longer is never, which is without --timeout.
      self = .wait(timeout: try Self.milliseconds("--timeout", given.value(.timeout), from: 0, to: 31_536_000))
    } else if given.has(.watch) {
      self = .watch(
        interval: try Self.milliseconds("--interval", given.value(.interval), from: 100, to: 86_400) ?? 1000)
    } else {
      self = .once
    }
  }

  /// Reads seconds, a decimal number such as `10` or `0.5`; what is finer than a millisecond is cut off.
  private static func milliseconds(
    _ option: String, _ word: String?, from least: UInt64, to most: UInt64
  ) throws(UsageError) -> UInt64? {
    guard let word else { return nil }
    guard let number = milliseconds(word), (least...most * 1000).contains(number) else {
      throw UsageError("\(option) \(Shown(word)) is not in \(least == 0 ? "0" : "0.\(least / 100)")-\(most) seconds")
    }
    return number
  }

  static func milliseconds(_ word: String) -> UInt64? {
    let parts = word.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.allSatisfy(\.isDecimal), parts[0].utf8.count <= 9,
      let whole = UInt64(parts[0])
    else { return nil }
    let fraction = parts.count == 2 ? String(parts[1].prefix(3)) : ""
    let padded = fraction + String(repeating: "0", count: 3 - fraction.utf8.count)
    return whole * 1000 + (UInt64(padded) ?? 0)
  }
}
