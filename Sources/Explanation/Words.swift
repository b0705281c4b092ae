public import SocketModel

// Small pieces of text that several sentences share.

/// `1 socket`, `3 sockets`.
func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }

extension Endpoint {
  /// `127.0.0.1:80`, `[::1]:80`.
  var text: String {
    switch address {
    case .v4: "\(address):\(port)"
    case .v6: "[\(address)]:\(port)"
    }
  }
}

extension ProcessRecord {
  /// `nginx (pid 812)`.
  public var text: String { "\(command) (pid \(pid))" }
}

extension SocketObservation {
  /// Who holds the socket, in a few words that can stand in a sentence.
  var holderText: String {
    switch owner {
    case .process:
      guard let first = processes.first else { return "a process" }
      if let activation { return "\(first.command) (pid \(first.pid), for \(activation.unit))" }
      return processes.count == 1 ? first.text : "\(first.text) and \(processes.count - 1) more"
    case .kernel: return kernelOwner.map { "the kernel (\($0))" } ?? "the kernel"
    case .none: return "no process"
    case .hidden: return uid.map { "a process of uid \($0) that could not be looked at" } ?? "a hidden process"
    }
  }
}

extension Collection where Element == String {
  /// `a`, `a and b`, `a, b and 3 more`.
  func listed(atMost limit: Int = 2) -> String {
    let shown = Array(prefix(limit))
    if count > limit { return "\(shown.joined(separator: ", ")) and \(count - limit) more" }
    guard let last = shown.last, shown.count > 1 else { return shown.first ?? "" }
    return "\(Array(shown.dropLast()).joined(separator: ", ")) and \(last)"
  }
}

extension Collection where Element == SocketObservation {
  /// The longest time until the kernel lets one of its timewait sockets go, in whole seconds, rounded up.
  var secondsLeft: UInt32? {
    compactMap { $0.timer?.kind == .timeWait ? $0.timer?.expires : nil }.max().map {
      $0 / 1000 + ($0 % 1000 == 0 ? 0 : 1)
    }
  }
}
