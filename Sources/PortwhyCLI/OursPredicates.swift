internal import Linux
internal import Answers
internal import SocketModel

// `--ours`: the words, and what of them the host has to say.

extension Invocation {
  /// The predicates, with what they name looked up.
  static func ours(_ given: GivenOptions, _ lookup: Lookup) throws(UsageError) -> [OursPredicate] {
    try given.values(.ours).map { word throws(UsageError) in try predicate(word, given, lookup) }
  }

  private static func predicate(
    _ word: String, _ given: GivenOptions, _ lookup: Lookup
  ) throws(UsageError) -> OursPredicate {
    let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, let kind = OursKind(rawValue: String(parts[0])) else {
      let kinds = OursKind.allCases.map { "\($0.rawValue)=" }
      throw UsageError(
        "--ours \(Shown(word)) is none of \(kinds.dropLast().joined(separator: ", ")) and \(kinds.last ?? "")")
    }
    let value = String(parts[1])
    if value.isEmpty { throw UsageError("--ours \(Shown(word)) names nothing") }
    switch kind {
    // As systemctl(1) completes it.
    case .unit: return .unit(value.contains(".") ? value : value + ".service")
    case .container: return .container(value)
    case .exe, .cwd:
      guard value.utf8.first == UInt8(ascii: "/") else { throw UsageError("--ours \(Shown(word)) is no full path") }
      return kind == .exe ? .executable(value) : .workingDirectory(withoutSlash(value))
    case .user:
      if given.has(.from), !value.isDecimal { return .user(value, uid: nil) }
      return .user(value, uid: try uid(value, option: "--ours user=", lookup))
    case .pid:
      guard let pid = pid(value) else { throw UsageError("--ours \(Shown(word)) is the number of no process") }
      return .process(pid)
    case .pidfile:
      if given.has(.from) {
        throw UsageError("--ours \(Shown(word)) is read now, so it says nothing of a saved report")
      }
      return .processFile(value, pid: try pid(inFile: value, word, lookup))
    }
  }

  private static func pid(
    inFile path: String, _ word: String, _ lookup: Lookup
  ) throws(UsageError) -> Int32? {
    switch lookup.file(path) {
    // The server does not run yet.
    case .absent: return nil
    case .unreadable: throw UsageError("--ours \(Shown(word)) cannot be read")
    case .text(let text):
      // The first line: what some daemons add are remarks.
      let line = text.prefix { $0 != "\n" && $0 != "\r\n" }.filter { $0 != " " && $0 != "\t" && $0 != "\r" }
      if line.isEmpty { return nil }
      guard let pid = pid(line) else { throw UsageError("--ours \(Shown(word)) holds the number of no process") }
      return pid
    }
  }

  private static func pid(_ word: String) -> Int32? {
    guard word.isDecimal, let pid = Int32(word), pid > 0 else { return nil }
    return pid
  }

  private static func withoutSlash(_ path: String) -> String {
    path.utf8.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
  }
}

/// What stands before `=`.
private enum OursKind: String, CaseIterable {
  case unit
  case user
  case container
  case exe
  case cwd
  case pid
  case pidfile
}

extension OursPredicate {
  /// The predicate for a report whose host has these names of users.
  func resolved(_ users: [UInt32: String]) -> OursPredicate {
    guard case .user(let name, nil) = self else { return self }
    return .user(name, uid: users.first { $0.value == name }?.key)
  }
}
