internal import BindRules
internal import PortwhyExplanation
internal import PortwhyKit
internal import SocketModel

extension TargetScreen {
  /// The section `as`: what other systems would answer otherwise. What systems share is said once; what not all
  /// attempts share has their addresses before it.
  ///
  /// - Parameter answers: Those of each attempt of the target, in its order.
  func foreign(_ answers: [[ForeignAnswer]]) -> [String] {
    var said: [BSDSystem] = []
    return foreignEntries(answers).enumerated().flatMap { offset, entry in
      let names = said == entry.systems ? [] : (enumeration(entry.systems.map(\.description)) + ":").words
      said = entry.systems
      let isCommon = entry.attempts.isEmpty || entry.attempts.count == target.attempts.count
      let prefix = isCommon ? [] : (addresses(entry.attempts) + ":").words
      return section(offset == 0 ? "as" : "", names + prefix + TerminalText.words(entry.text))
    }
  }

  private struct ForeignEntry {
    var text: String
    var attempts: [AttemptReport]
    var systems: [BSDSystem]
  }

  /// Each sentence once, with the attempts and then the systems that share it; the remarks of a system last.
  private func foreignEntries(_ answers: [[ForeignAnswer]]) -> [ForeignEntry] {
    var entries: [ForeignEntry] = []
    var remarks: [ForeignEntry] = []
    for system in (answers.first ?? []).map(\.system) {
      var ofSystem: [ForeignEntry] = []
      for (attempt, answers) in zip(target.attempts, answers) {
        guard let answer = answers.first(where: { $0.system == system }) else { continue }
        for text in target.foreignSentences(answer, attempt) {
          if let index = ofSystem.firstIndex(where: { $0.text == text }) {
            ofSystem[index].attempts.append(attempt)
          } else {
            ofSystem.append(ForeignEntry(text: text, attempts: [attempt], systems: [system]))
          }
        }
        for text in foreignRemarks(answer)
        where !remarks.contains(where: { $0.text == text && $0.systems == [system] }) {
          remarks.append(ForeignEntry(text: text, attempts: [], systems: [system]))
        }
      }
      for entry in ofSystem {
        if let index = entries.firstIndex(where: { $0.text == entry.text && $0.attempts == entry.attempts }) {
          entries[index].systems += entry.systems
        } else {
          entries.append(entry)
        }
      }
    }
    return entries + remarks
  }
}

extension TargetReport {
  /// What the screen says of one answer.
  func foreignSentences(_ answer: ForeignAnswer, _ attempt: AttemptReport) -> [String] {
    PortwhyExplanation.foreignSentences(
      answer, of: attempt.attempt, linux: attempt.outcomes,
      planned: plan.options,
      sockets: sockets)
  }
}
