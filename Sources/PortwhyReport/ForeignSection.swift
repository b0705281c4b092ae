internal import BindRules
internal import PortwhyExplanation
internal import PortwhyKit
internal import SocketModel

extension TargetScreen {
  /// The section `as`: what other systems would answer otherwise. One entry for each system; what not all attempts share
  /// has their addresses before it.
  ///
  /// - Parameter answers: Those of each attempt of the target, in its order.
  func foreign(_ answers: [[ForeignAnswer]]) -> [String] {
    let systems = (answers.first ?? []).map(\.system)
    return systems.enumerated().flatMap { offset, system -> [String] in
      entries(system, answers).enumerated().flatMap { index, entry in
        let words = (index == 0 ? [system.description + ":"] : []) + entry
        return section(offset == 0 && index == 0 ? "as" : "", words)
      }
    }
  }

  private func entries(_ system: BSDSystem, _ answers: [[ForeignAnswer]]) -> [[String]] {
    var entries: [(text: String, attempts: [AttemptReport])] = []
    for (attempt, answers) in zip(target.attempts, answers) {
      guard let answer = answers.first(where: { $0.system == system }) else { continue }
      let sentences = foreignSentences(
        answer, of: attempt.attempt, planned: target.plan.options, sockets: target.sockets)
      for text in sentences {
        if let index = entries.firstIndex(where: { $0.text == text }) {
          entries[index].attempts.append(attempt)
        } else {
          entries.append((text, [attempt]))
        }
      }
    }
    return entries.map { entry in
      let isCommon = entry.attempts.count == target.attempts.count
      return (isCommon ? [] : (addresses(entry.attempts) + ":").words) + TerminalText.words(entry.text)
    }
  }
}
