internal import Answers
internal import BindRules
internal import Explanation
internal import SocketModel

/// What `-v` adds: the rule and kernel function that decided, where every flag comes from, how long it took.
struct VerboseSections {
  var screen: TargetScreen

  func lines() -> [String] {
    rules() + sockets() + kernelEvidence() + time()
  }

  private var target: TargetReport { screen.target }

  // MARK: Rules

  private func rules() -> [String] {
    let groups = attemptGroups(target)
    let lines = groups.flatMap { group in
      combinations(group).map { labels, text in
        (groups.count > 1 ? screen.addresses(group) + ", " : "") + labels.joined(separator: ", ") + ": " + text
      }
    }
    return lines.enumerated().flatMap { offset, line in
      screen.section(offset == 0 ? "rule" : "", line.words)
    }
  }

  /// Combinations that one text explains together.
  private func combinations(_ group: [AttemptReport]) -> [(labels: [String], text: String)] {
    var result: [(labels: [String], text: String)] = []
    for options in ReuseOptions.combinations {
      guard let outcome = group.first?.outcome(options), let text = text(outcome) else { continue }
      if let index = result.firstIndex(where: { $0.text == text }) {
        result[index].labels.append(options.label)
      } else {
        result.append(([options.label], text))
      }
    }
    return result
  }

  private func text(_ outcome: BindOutcome) -> String? {
    var parts: [String] = []
    for rule in BindRule.allCases {
      let ids = outcome.blockers.filter { $0.rule == rule }.map(\.socket)
      if !ids.isEmpty { parts.append("\(rule.rawValue) (\(rule.kernelFunction)), \(sockets(ids))") }
    }
    if !outcome.missing.isEmpty {
      parts.append("missing " + outcome.missing.map(missingWord).joined(separator: " "))
    }
    if outcome.source == .probe { parts.append("by a real bind") }
    return parts.isEmpty ? nil : parts.joined(separator: "; ")
  }

  private func sockets(_ ids: [Int]) -> String {
    if ids.count == 1 { return "socket \(ids[0])" }
    let shown = ids.prefix(8).map(String.init)
    return "sockets " + shown.joined(separator: " ") + (ids.count > 8 ? " and \(ids.count - 8) more" : "")
  }

  // MARK: Sockets

  private func sockets() -> [String] {
    target.sockets.enumerated().flatMap { index, socket in
      screen.section(index == 0 ? "from" : "", facts(index, socket).joined(separator: ", ").words)
    }
  }

  private func facts(_ index: Int, _ socket: SocketObservation) -> [String] {
    var facts = ["socket \(index) \(stateName(socket))"]
    facts.append(source("SO_REUSEADDR", socket.reuseaddr))
    facts.append(source("SO_REUSEPORT", socket.reuseport))
    if let v6only = socket.v6only { facts.append(source("IPV6_V6ONLY", v6only)) }
    if let uid = socket.uid { facts.append(screen.style.uidAndName(uid)) }
    if let inode = socket.inode { facts.append("inode \(inode)") }
    facts.append("cookie \(hexadecimal(socket.cookie))")
    if let cgroup = socket.cgroup { facts.append("cgroup \(TerminalText.escaped(cgroup))") }
    for process in socket.processes {
      let descriptors = process.descriptors.map(String.init).joined(separator: " ")
      let executable = process.executable.map { " " + TerminalText.escaped($0) } ?? ""
      facts.append("pid \(process.pid)\(executable) fd \(descriptors)")
    }
    return facts
  }

  private func source(_ name: String, _ flag: Knowledge<Bool>) -> String {
    switch flag {
    case .known(let value, let source): "\(name) \(value ? "yes" : "no") (\(source.rawValue))"
    case .inferred(let value, let index, let reason):
      "\(name) \(value ? "yes" : "no") (inferred from socket \(index); \(reason.rawValue))"
    case .unknown(let reason): "\(name) unknown (\(reason.rawValue))"
    }
  }

  private func kernelEvidence() -> [String] {
    guard let use = screen.visibility.bpf else { return [] }
    var words =
      use.iterators.isEmpty ? [] : ["iterators \(TerminalText.escaped(use.iterators.joined(separator: ", ")))"]
    if let problem = use.problem { words.append(TerminalText.escaped(problem)) }
    words.append("\(use.microseconds / 1000).\(use.microseconds / 100 % 10) ms")
    return screen.section("bpf", words.joined(separator: "; ").words)
  }

  private func time() -> [String] {
    guard let elapsed = screen.style.elapsedMicroseconds else { return [] }
    let tenths = elapsed / 100
    return screen.section("time", ["\(tenths / 10).\(tenths % 10) ms"])
  }
}

extension TargetScreen {
  /// The section `as`: what other systems would answer otherwise. What systems share is said once and first; what not
  /// all attempts share has their addresses before it.
  func foreign() -> [String] {
    var said = ""
    return foreignEntries.enumerated().flatMap { offset, entry in
      let heading = entry.heading
      let names = said == heading ? [] : (heading + ":").words
      said = heading
      let isCommon = entry.attempts.isEmpty || entry.attempts.count == target.attempts.count
      let prefix = isCommon ? [] : (addresses(entry.attempts) + ":").words
      return section(offset == 0 ? "as" : "", names + prefix + TerminalText.words(entry.text))
    }
  }

  private struct ForeignEntry {
    var attempts: [AttemptReport]
    var sentences: [(system: BSDSystem, sentence: ForeignSentence)]

    /// Of one system alone, its own words.
    var text: String { sentences.count == 1 ? sentences[0].sentence.text : sentences[0].sentence.shared }

    var heading: String {
      let likely = sentences.filter { $0.sentence.text != $0.sentence.shared }.map(\.system)
      if sentences.count == 1 { return foreignHeading(sure: sentences.map(\.system), likely: []) }
      return foreignHeading(sure: sentences.map(\.system).filter { !likely.contains($0) }, likely: likely)
    }
  }

  /// Each sentence once, with the attempts and then the systems that share it; the remarks of a system last.
  private var foreignEntries: [ForeignEntry] {
    var entries: [ForeignEntry] = []
    var remarks: [ForeignEntry] = []
    for system in (target.attempts.first?.foreign ?? []).map(\.answer.system) {
      var ofSystem: [(sentence: ForeignSentence, attempts: [AttemptReport])] = []
      for attempt in target.attempts {
        guard let report = attempt.foreign.first(where: { $0.answer.system == system }) else { continue }
        for sentence in report.sentences {
          if let index = ofSystem.firstIndex(where: { $0.sentence == sentence }) {
            ofSystem[index].attempts.append(attempt)
          } else {
            ofSystem.append((sentence, [attempt]))
          }
        }
        for text in report.remarks {
          let remark = (system: system, sentence: ForeignSentence(text))
          if remarks.contains(where: { $0.sentences.contains { $0 == remark } }) { continue }
          remarks.append(ForeignEntry(attempts: [], sentences: [remark]))
        }
      }
      for (sentence, attempts) in ofSystem {
        let index = entries.firstIndex {
          $0.sentences[0].sentence.shared == sentence.shared && $0.attempts == attempts
        }
        if let index {
          entries[index].sentences.append((system, sentence))
        } else {
          entries.append(ForeignEntry(attempts: attempts, sentences: [(system, sentence)]))
        }
      }
    }
    let isShared = { (entry: ForeignEntry) in entry.sentences.count > 1 }
    return entries.filter(isShared) + entries.filter { !isShared($0) } + remarks
  }
}
