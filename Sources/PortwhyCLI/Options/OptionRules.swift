extension OptionTable {
  /// Refuses, in one line, what cannot stand together or says nothing where it stands: silence would look like an
  /// answer.
  func check(_ given: GivenOptions) throws(UsageError) {
    let present = rows.filter { given.has($0.option) }
    if present.contains(where: \.contexts.isEmpty) { return }
    if given.command == nil, given.asksForRuntimes {
      let others = present.filter { $0.option != .runtime && $0.option != .color }
      if let row = others.first { throw UsageError("\(row.name) says nothing beside --runtime list") }
      if let operand = given.operand { throw UsageError("unexpected argument \(Shown(operand))") }
      return
    }
    for row in present {
      guard case .words(let words) = row.value.completion, let value = given.value(row.option) else { continue }
      if !words.contains(value) {
        throw UsageError("\(row.name) \(Shown(value)) is none of \(words.joined(separator: ", "))")
      }
    }
    if let command = given.command { return try check(command, given, present) }
    if given.has(.explain) {
      if let row = present.first(where: { !$0.contexts.contains(.explanation) }) {
        throw UsageError("\(row.name) says nothing beside --explain")
      }
      return
    }
    for (place, row) in present.enumerated() {
      for other in present[(place + 1)...]
      where row.excludes.contains(other.option) || other.excludes.contains(row.option) {
        throw UsageError("\(row.name) and \(other.name) contradict each other")
      }
    }
    for row in present {
      if let needed = row.needs, !given.has(needed), let other = rows.first(where: { $0.option == needed }) {
        throw UsageError("\(row.name) needs \(other.name)")
      }
    }
    let context: OptionContexts = given.operand != nil ? .target : given.has(.from) ? .saved : .overview
    if let row = present.first(where: { !$0.contexts.contains(context) }) {
      throw UsageError("\(row.name) needs a \(row.contexts == .command ? "-- COMMAND" : "TARGET")")
    }
  }

  private func check(_ command: [String], _ given: GivenOptions, _ present: [OptionRow]) throws(UsageError) {
    if command.isEmpty { throw UsageError("nothing stands after --: a command is expected") }
    if let row = present.first(where: { !$0.contexts.contains(.command) }) {
      throw UsageError("\(row.name) says nothing beside -- COMMAND")
    }
    if let operand = given.operand { throw UsageError("\(Shown(operand)) says nothing beside -- COMMAND") }
  }
}
