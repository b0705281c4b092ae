internal import Explanation
internal import SocketModel

/// What is printed about the failed calls of a command, and when: a value without clock, process or descriptor.
///
/// An explanation is held until its process ends or a second has passed, so that it stands below the program's own
/// error and is not printed where the next try works.
struct FailureLog {
  /// Something to print.
  enum Output: Hashable {
    /// The explanation of the first of these failures, with the addresses of all; each has the number of its call.
    case screen([UInt64])
    /// One line, without `portwhy: `.
    case line(String)
    /// For programs: the process of these failures has this address now.
    case sequel([UInt64], Endpoint, isSame: Bool)
  }

  /// Screens, and lines, of one run; the rest is counted.
  static let most = 5
  /// A server that looks for a free port goes up by one; further away it is another port of its own.
  static let neighbourhood = 100
  static let patience: UInt64 = 1_000_000

  private(set) var failures: [FailedAttempt] = []
  private var screens = 0
  private var lines = 0
  /// Failures that were not shown because there were too many.
  private(set) var notShown = 0
  /// Explanations that were the same as a printed one, of other processes.
  private var repeated = 0
  private var likenesses: Set<String> = []
  /// What a process got before it was known what it failed at.
  private var early: [Early] = []
  /// Recoveries are told too (`-v`).
  var isVerbose = false
  /// Nothing is left out: reports for programs.
  var isComplete = false

  private struct Early {
    var endpoint: Endpoint
    var transport: TransportProtocol
    var process: Int32
    var inode: UInt64
  }

  init(isVerbose: Bool = false, isComplete: Bool = false) {
    self.isVerbose = isVerbose
    self.isComplete = isComplete
  }

  /// Whether a call that works could change what is printed.
  var wantsWorkedCalls: Bool { failures.contains { $0.state != .dropped } }

  /// Whether something is still to be printed.
  var isEmpty: Bool { failures.isEmpty && notShown == 0 }

  /// When to call `tick`; nil for never.
  var deadline: UInt64? { failures.filter { $0.state == .held && $0.likeness != nil }.map(\.printAt).min() }

  func failure(_ number: UInt64) -> FailedAttempt? { failures.first { $0.number == number } }

  // MARK: Events

  /// A call failed; whether it is worth an explanation. A repetition is only counted.
  mutating func failed(_ failure: FailedAttempt) -> Bool {
    if let index = failures.lastIndex(where: { $0.kind == failure.kind && $0.state != .dropped }) {
      failures[index].tries += 1
      return false
    }
    guard isComplete || failures.count(where: { $0.state != .dropped }) < Self.most * 2 else {
      notShown += 1
      return false
    }
    failures.append(failure)
    return true
  }

  /// The explanation is there.
  mutating func explained(_ number: UInt64, likeness: String, holder: String?) -> [Output] {
    guard let index = failures.firstIndex(where: { $0.number == number }) else { return [] }
    failures[index].likeness = likeness
    failures[index].holder = holder
    let process = failures[index].kind.process
    guard !isUnexplained(process) else { return [] }
    let told = early.filter { $0.process == process }
    early.removeAll { $0.process == process }
    return told.flatMap { got($0.endpoint, $0.transport, process: process, inode: $0.inode) }
  }

  private func isUnexplained(_ process: Int32) -> Bool {
    failures.contains { $0.kind.process == process && $0.state != .dropped && $0.likeness == nil }
  }

  /// A process has a port: it listens (TCP), or it bound it (UDP).
  mutating func got(
    _ endpoint: Endpoint, _ transport: TransportProtocol, process: Int32, inode: UInt64
  ) -> [Output] {
    guard !isUnexplained(process) else {
      // A server has few ports; who takes thousands is not worth remembering them.
      if early.count < 64 {
        early.append(Early(endpoint: endpoint, transport: transport, process: process, inode: inode))
      }
      return []
    }
    let mine = failures.indices.filter { index in
      let failure = failures[index]
      return failure.kind.process == process && failure.kind.transport == transport && failure.state != .dropped
        && failure.likeness != nil
    }
    let same = mine.filter { failures[$0].kind.endpoint == endpoint }
    if let first = same.first {
      let failure = failures[first]
      let wasPrinted = same.contains { failures[$0].state == .printed }
      let tries = same.map { failures[$0].tries }.reduce(0, +)
      for index in same { failures[index].state = .dropped }
      if isComplete { return [.sequel(same.map { failures[$0].number }, endpoint, isSame: true)] }
      guard wasPrinted || isVerbose else { return [] }
      let text = "\(failure.who) has \(endpoint.text) now, after \(tries) failed tr\(tries == 1 ? "y" : "ies")"
      return line(text)
    }
    let related = mine.filter { isInstead(of: failures[$0], endpoint, inode) }
    guard let first = related.first else { return [] }
    let text = drift(related.map { failures[$0] }, to: endpoint, isUnasked: failures[first].inode == inode)
    for index in related { failures[index].state = .dropped }
    if isComplete { return [.sequel(related.map { failures[$0].number }, endpoint, isSame: false)] }
    return line(text)
  }

  /// A process has ended.
  mutating func ended(_ process: Int32) -> [Output] {
    // One whose explanation is not there yet is printed as soon as it is.
    for index in failures.indices where failures[index].kind.process == process { failures[index].printAt = 0 }
    let outputs = print { $0.kind.process == process }
    return outputs + retries { $0.kind.process == process }
  }

  /// Time has passed.
  mutating func tick(_ now: UInt64) -> [Output] { print { $0.printAt <= now } }

  /// The command has ended: nothing is held any more.
  mutating func finish() -> [Output] {
    var outputs = print { _ in true } + retries { _ in true }
    if repeated > 0 {
      outputs.append(.line("the same happened to \(repeated) more process\(repeated == 1 ? "" : "es")"))
    }
    if notShown > 0 {
      outputs.append(.line("\(notShown) more failed call\(notShown == 1 ? " is" : "s are") not shown"))
    }
    return outputs
  }

  // MARK: Printing

  private mutating func print(_ isDue: (FailedAttempt) -> Bool) -> [Output] {
    var outputs: [Output] = []
    for index in failures.indices {
      guard failures[index].state == .held, let likeness = failures[index].likeness, isDue(failures[index]) else {
        continue
      }
      // Several addresses of one port with one cause are one matter.
      let group = failures.indices.filter { other in
        failures[other].state == .held && failures[other].likeness == likeness
          && failures[other].kind.process == failures[index].kind.process
          && failures[other].kind.function == failures[index].kind.function
      }
      let triesTold = group.map { failures[$0].tries }
      for (member, tries) in zip(group, triesTold) {
        failures[member].state = .printed
        failures[member].triesTold = tries
      }
      guard isComplete || !likenesses.contains(likeness) else {
        repeated += 1
        continue
      }
      guard isComplete || screens < Self.most else {
        notShown += group.count
        continue
      }
      screens += 1
      likenesses.insert(likeness)
      outputs.append(.screen(group.map { failures[$0].number }))
    }
    return outputs
  }

  /// Tries since a failure was printed.
  private mutating func retries(_ isDue: (FailedAttempt) -> Bool) -> [Output] {
    var outputs: [Output] = []
    for index in failures.indices {
      let failure = failures[index]
      guard failure.state == .printed, failure.tries > failure.triesTold, isDue(failure) else { continue }
      failures[index].triesTold = failure.tries
      outputs += line("\(failure.call) failed \(failure.tries) times")
    }
    return outputs
  }

  private mutating func line(_ text: String) -> [Output] {
    guard lines < Self.most else {
      notShown += 1
      return []
    }
    lines += 1
    return [.line(text)]
  }

  // MARK: Another port

  /// Whether a process that failed has taken this address for want of the other.
  private func isInstead(of failure: FailedAttempt, _ endpoint: Endpoint, _ inode: UInt64) -> Bool {
    if failure.inode == inode { return true }
    let (wanted, taken) = (Int(failure.kind.endpoint.port.rawValue), Int(endpoint.port.rawValue))
    // One wildcard of the port instead of the other is one family that is not served.
    if wanted == taken { return failure.kind.endpoint.address.family != endpoint.address.family }
    return taken > wanted && taken - wanted <= Self.neighbourhood
  }

  private func drift(_ failures: [FailedAttempt], to endpoint: Endpoint, isUnasked: Bool) -> String {
    guard let first = failures.first else { return "" }
    var addresses: [String] = []
    for failure in failures where !addresses.contains(failure.kind.endpoint.text) {
      addresses.append(failure.kind.endpoint.text)
    }
    let holder = first.holder.map { "which \($0) has" } ?? "(\(first.kind.errno))"
    let others =
      addresses.count < 2 ? "" : addresses.count == 2 ? " nor \(addresses[1])" : " nor \(addresses.count - 1) more"
    let wanted = first.holder == nil ? "\(addresses[0]) \(holder)" : "\(addresses[0]), \(holder),"
    let comma = first.holder == nil ? "," : ""
    if isUnasked {
      return "\(first.who) did not get \(wanted)\(others)\(comma) and listens on port \(endpoint.port), unasked"
    }
    if first.kind.endpoint.port == endpoint.port {
      return "\(first.who) did not get \(wanted)\(others)\(comma) and has \(endpoint.text) alone"
    }
    let taken = first.kind.endpoint.address == endpoint.address ? "\(endpoint.port)" : endpoint.text
    return "\(first.who) did not get \(wanted)\(others)\(comma) and took \(taken)"
  }
}

extension FailedAttempt {
  /// `node (pid 4)`.
  var who: String { "\(commandText(command)) (pid \(kind.process))" }
  /// `bind() of node (pid 4) on [::]:8080`.
  var call: String { "\(kind.function.rawValue)() of \(who) on \(kind.endpoint.text)" }
}
