internal import BindRules
internal import Explanation
internal import Answers
internal import SocketModel

extension TargetScreen {
  /// The section `as`: what other systems would answer otherwise. What systems share is said once; what not all
  /// attempts share has their addresses before it.
  func foreign() -> [String] {
    var said: [BSDSystem] = []
    return foreignEntries.enumerated().flatMap { offset, entry in
      let names = said == entry.systems ? [] : (entry.systems.map(\.description).listed(atMost: .max) + ":").words
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
  private var foreignEntries: [ForeignEntry] {
    var entries: [ForeignEntry] = []
    var remarks: [ForeignEntry] = []
    for system in (target.attempts.first?.foreign ?? []).map(\.answer.system) {
      var ofSystem: [ForeignEntry] = []
      for attempt in target.attempts {
        guard let report = attempt.foreign.first(where: { $0.answer.system == system }) else { continue }
        for text in report.sentences {
          if let index = ofSystem.firstIndex(where: { $0.text == text }) {
            ofSystem[index].attempts.append(attempt)
          } else {
            ofSystem.append(ForeignEntry(text: text, attempts: [attempt], systems: [system]))
          }
        }
        for text in report.remarks
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
