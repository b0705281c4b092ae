internal import SocketModel

/// Whether the host is looked at once, until something works, or again and again.
enum Pace: Hashable {
  case once
  /// `--wait`: milliseconds until it gives up, nil for never.
  case wait(timeout: UInt64?)
  /// `--watch`: milliseconds from one look to the next.
  case watch(interval: UInt64)

  init(_ options: CommandWords) throws(UsageError) {
    if options.timeout != nil && !options.wait { throw UsageError("--timeout needs --wait") }
    if options.interval != nil && !options.watch { throw UsageError("--interval needs --watch") }
    let together = options.given.filter(["--wait", "--watch", "--from"].contains)
    if together.count > 1 { throw UsageError("\(together[0]) and \(together[1]) contradict each other") }
    // A bind that is tried again and again is one that a starting server meets.
    if options.probe, let option = options.first(of: ["--wait", "--watch"]) {
      throw UsageError("--probe and \(option) contradict each other")
    }
    if options.wait {
      if options.target == nil { throw UsageError("--wait needs a TARGET") }
      // A year: longer is never, which is without --timeout.
      self = .wait(timeout: try Self.milliseconds("--timeout", options.timeout, from: 0, to: 31_536_000))
    } else if options.watch {
      if options.quiet { throw UsageError("-q and --watch contradict each other") }
      self = .watch(interval: try Self.milliseconds("--interval", options.interval, from: 100, to: 86_400) ?? 1000)
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
      throw UsageError("\(option) \"\(word)\" is not in \(least == 0 ? "0" : "0.\(least / 100)")-\(most) seconds")
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
