import BindRules
import SocketModel

// What the catalogue of runtimes adds to an explanation: the words of the planned server's runtime, and of the
// server at the other end.

extension Suggestion {
  /// The same suggestion with the setting of the planned server's runtime, where it is about a socket option.
  func worded(for runtime: Runtime?) -> Suggestion {
    guard let runtime, kind == .setOption, let option else { return self }
    let setting: String?
    switch option {
    case .reuseaddr: setting = runtime.settings.reuseaddr
    case .reuseport: setting = runtime.reuseport ? nil : runtime.settings.reuseport
    case .v6only: setting = runtime.settings.v6only
    case .freebind: return self
    }
    var worded = self
    worded.text =
      setting.map { "\(text), with \(runtime.name): \($0)" } ?? "\(text); \(runtime.name) has no known setting for it"
    return worded
  }
}

/// What the defaults of the planned server's runtime mean here; empty without `--runtime` and on an unused port.
func runtimeNotes(_ situation: Situation) -> [Note] {
  guard let runtime = situation.runtime, !situation.snapshot.sockets.isEmpty else { return [] }
  guard situation.attempt.transport == .tcp else {
    return [
      Note(kind: .runtimeDefault, text: "what \(runtime.name) sets is known for TCP only; judged without options")
    ]
  }
  guard runtime.reuseaddr else {
    let setting = runtime.settings.reuseaddr.map { ": \($0)" } ?? ""
    return [Note(kind: .runtimeDefault, text: "\(runtime.name) does not set SO_REUSEADDR by itself\(setting)")]
  }
  let options = runtime.reuseport ? "SO_REUSEADDR and SO_REUSEPORT" : "SO_REUSEADDR"
  let closed = situation.snapshot.sockets.filter { situation.role($0) == .timeWait }
  let consequence =
    closed.isEmpty || closed.contains { $0.reuseaddr.sure != true } ? "" : ", so TIME_WAIT is not your problem"
  return [Note(kind: .runtimeDefault, text: "\(runtime.name) sets \(options) by itself\(consequence)")]
}

/// What the server at the other end could change, in its own words: offered only where the rules say that the
/// planned bind would then work. SO_REUSEPORT there is named only to somebody who plans to share the port.
func settingThere(_ situation: Situation) -> [Suggestion] {
  let planned: [Suggestion.Option] = situation.planned.contains(.reuseport) ? [.reuseaddr, .reuseport] : [.reuseaddr]
  return (planned + [.v6only]).compactMap { settingThere(situation, $0) }
}

private func settingThere(_ situation: Situation, _ option: Suggestion.Option) -> Suggestion? {
  var after = situation.snapshot
  var settings: [String] = []
  for blocker in situation.outcome(situation.planned)?.blockers ?? [] {
    let socket = situation.socket(blocker)
    guard let (changed, setting) = socket.changed(option) else { continue }
    after.sockets[blocker.socket] = changed
    if !settings.contains(setting) { settings.append(setting) }
  }
  guard !settings.isEmpty else { return nil }
  let works = outcomes(of: situation.attempt, in: after).first { $0.options == situation.planned }?.verdict == .ok
  // A changed SO_REUSEPORT leaves the order of earlier binds open, which a restart of the other side settles.
  guard works || option == .reuseport else { return nil }
  return Suggestion(
    kind: .otherSide, option: option, certainty: .when(.mayRestartServer),
    text: "set \(option.rawValue) there, \(settings.listed())")
}

extension SocketObservation {
  /// The socket as it would be with the option set by its server's own setting; nil where that is set already,
  /// where the server is not recognised, or where it has no setting.
  fileprivate func changed(_ option: Suggestion.Option) -> (SocketObservation, setting: String)? {
    guard let runtime = processes.lazy.compactMap({ Runtime(executable: $0.executable) }).first else { return nil }
    var changed = self
    let setting: String?
    switch option {
    case .reuseaddr where reuseaddr.sure == false:
      changed.reuseaddr = .known(true, .getsockopt)
      setting = runtime.settings.reuseaddr.map { "`\($0)`" }
    case .reuseport where reuseport.sure == false:
      changed.reuseport = .known(true, .getsockopt)
      setting = runtime.reuseport ? nil : runtime.settings.reuseport.map { "`\($0)`" }
    case .v6only where v6only?.sure == false:
      changed.v6only = .known(true, .sockDiag)
      // A server that sets it by default was told not to: the setting is to be taken back.
      setting =
        runtime.v6only == .set
        ? runtime.settings.v6only.map { "without `\($0)`" } : runtime.settings.v6only.map { "`\($0)`" }
    default: return nil
    }
    return setting.map { (changed, "in \(runtime.name) \($0)") }
  }
}
