package import BindRules
package import SocketModel

// Small pieces of text that several sentences share.

/// `1 socket`, `3 sockets`.
package func counted(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }

/// The id of a container as its engine's commands take and show it: the first 12 digits of 64.
package func shortContainer(_ id: String) -> String { id.count == 64 ? String(id.prefix(12)) : id }

extension ReuseOptions {
  /// `SO_REUSEADDR`, `SO_REUSEADDR and SO_REUSEPORT`; empty for none.
  package var names: String { socketOptions.listed() }
}

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
  package var text: String { "\(command) (pid \(pid))" }
}

extension KernelOwner {
  /// `vxlan interface vx0`, `the IPVS synchronisation daemon on eth0`.
  package var text: String {
    if kind == .ipvs { return "the IPVS synchronisation daemon" + (interface.map { " on \($0)" } ?? "") }
    return interface.map { "\(word.rawValue) interface \($0)" } ?? word.rawValue
  }
}

extension SocketObservation {
  /// Who holds the socket, in a few words that can stand in a sentence.
  var holderText: String {
    switch owner {
    case .process:
      guard let first = processes.first else { return "a process" }
      if let activation { return "\(first.command) (pid \(first.pid), for \(activation.unit))" }
      if processes.count == 1 { return first.servesLogin ? "\(first.text), for an ssh login," : first.text }
      return "\(first.text) and \(processes.count - 1) more"
    case .kernel: return kernelText(kernelOwner)
    case .none: return "no process"
    case .hidden: return hiddenText(uid)
    }
  }
}

extension Collection where Element == String {
  /// `a`, `a and b`, `a, b and 3 more`.
  package func listed(atMost limit: Int = 2, _ conjunction: String = "and") -> String {
    let shown = Array(prefix(limit))
    if count > limit { return "\(shown.joined(separator: ", ")) and \(count - limit) more" }
    guard let last = shown.last, shown.count > 1 else { return shown.first ?? "" }
    return "\(Array(shown.dropLast()).joined(separator: ", ")) \(conjunction) \(last)"
  }
}

extension Collection where Element == SocketObservation {
  /// The longest time until the kernel lets one of its timewait sockets go, in whole seconds, rounded up.
  package var secondsLeft: UInt32? {
    compactMap { $0.timer?.kind == .timeWait ? $0.timer?.expires : nil }.max().map {
      $0 / 1000 + ($0 % 1000 == 0 ? 0 : 1)
    }
  }
}

/// How many letters have to be inserted, removed or replaced to make one word of the other (Levenshtein).
func editDistance<Letter: Equatable>(_ first: [Letter], _ second: [Letter]) -> Int {
  var row = Array(0...second.count)
  for (index, letter) in first.enumerated() {
    var diagonal = row[0]
    row[0] = index + 1
    for column in second.indices {
      let changed = diagonal + (second[column] == letter ? 0 : 1)
      diagonal = row[column + 1]
      row[column + 1] = min(changed, row[column] + 1, row[column + 1] + 1)
    }
  }
  return row[second.count]
}
