internal import Explanation
internal import Answers
internal import SocketModel

/// What there is to do for a whole port: what the attempts suggest, each thing once, the best first.
struct Advice {
  /// One thing to do, and the attempts that it helps.
  struct Entry {
    var suggestion: Suggestion
    var attempts: [AttemptReport]
    /// Whether it helps every attempt that needs help.
    var isComplete = false
  }

  /// As many as a person reads.
  static let shown = 4

  private(set) var entries: [Entry] = []

  init(_ target: TargetReport) {
    let needy = target.attempts.filter { !$0.explanation.suggestions.isEmpty }
    for attempt in needy {
      for suggestion in attempt.explanation.suggestions { add(suggestion, attempt) }
    }
    mergeHolders()
    for index in entries.indices { entries[index].isComplete = entries[index].attempts.count == needy.count }
    // What helps all comes before what helps one address alone; else the order of the attempts stays.
    entries = entries.filter(\.isComplete) + entries.filter { !$0.isComplete }
  }

  /// At most four, another port among them where there is one: it always works.
  var best: [Entry] {
    guard entries.count > Self.shown else { return entries }
    let first = entries.prefix(Self.shown)
    guard !first.contains(where: { $0.suggestion.kind == .otherPort }),
      let port = entries.first(where: { $0.suggestion.kind == .otherPort })
    else { return Array(first) }
    return first.dropLast() + [port]
  }

  private mutating func add(_ suggestion: Suggestion, _ attempt: AttemptReport) {
    guard let index = entries.firstIndex(where: { $0.suggestion.isSameFix(as: suggestion) }) else {
      entries.append(Entry(suggestion: suggestion, attempts: [attempt]))
      return
    }
    if !entries[index].attempts.contains(attempt) { entries[index].attempts.append(attempt) }
  }

  /// To end some of the holders is a part of ending all of them.
  private mutating func mergeHolders() {
    let all = entries
    entries.removeAll { entry in
      all.contains { entry.suggestion.isPart(of: $0.suggestion) }
    }
    for entry in all {
      for index in entries.indices where entry.suggestion.isPart(of: entries[index].suggestion) {
        for attempt in entry.attempts where !entries[index].attempts.contains(attempt) {
          entries[index].attempts.append(attempt)
        }
      }
    }
  }
}

extension Suggestion {
  /// The same thing to do, as it is said for two addresses.
  fileprivate func isSameFix(as other: Suggestion) -> Bool {
    guard word == other.word, optionWord == other.optionWord else { return false }
    switch kind {
    case .setOption, .setOptionThere, .otherSide, .wait, .otherAddress, .otherPort, .lookAsRoot, .probe:
      return true
    default: return command == other.command && (command != nil || text == other.text)
    }
  }

  fileprivate func isPart(of other: Suggestion) -> Bool {
    guard kind == .stopHolder, other.kind == .stopHolder, let own = command?.argv, let all = other.command?.argv
    else { return false }
    return Set(own).isStrictSubset(of: all)
  }
}
