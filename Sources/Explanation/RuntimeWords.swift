import BindRules
import SocketModel

// What the catalogue of runtimes adds to an explanation: the words of the planned server's runtime, and of the
// server at the other end.

extension Suggestion {
  /// The same suggestion with the setting of the planned server's runtime, where it is about a socket option; nil where
  /// its users cannot do it.
  func worded(for runtime: Runtime?) -> Suggestion? {
    guard let runtime, kind == .setOption, let option else { return self }
    guard let setting = runtime.settings[option] else { return nil }
    var worded = self
    worded.text = "\(text), with \(runtime.name): \(setting)"
    return worded
  }
}

extension Runtime.Settings {
  /// What its users write to have the option on.
  subscript(option: Suggestion.Option) -> String? {
    switch option {
    case .reuseaddr: reuseaddr
    case .reuseport: reuseport
    case .v6only: v6only
    case .freebind: freebind
    }
  }
}

/// What the defaults of the planned server's runtime mean here; empty without `--runtime` and on an unused port.
func runtimeNotes(_ situation: Situation) -> [Note] {
  guard let runtime = situation.runtime, !situation.snapshot.sockets.isEmpty else { return [] }
  let transport = situation.attempt.transport
  guard let defaults = runtime.defaults(transport) else {
    return [
      Note(
        kind: .runtimeDefault,
        text: "what \(runtime.name) sets for \(transport.rawValue.uppercased()) is not known; judged without options")
    ]
  }
  let options = ReuseOptions(defaults)
  guard !options.isEmpty else {
    let setting = runtime.settings.reuseaddr.map { ": \($0)" } ?? ""
    return [Note(kind: .runtimeDefault, text: "\(runtime.name) does not set SO_REUSEADDR by itself\(setting)")]
  }
  let closed = situation.snapshot.sockets.filter { situation.role($0) == .timeWait }
  let helps = defaults.reuseaddr && !closed.isEmpty && closed.allSatisfy { $0.reuseaddr.sure == true }
  return [
    Note(
      kind: .runtimeDefault,
      text: "\(runtime.name) sets \(options.names) by itself\(helps ? ", so TIME_WAIT is not your problem" : "")")
  ]
}

extension ReuseOptions {
  /// Those that a runtime sets by default.
  package init(_ defaults: Runtime.Defaults) {
    self = (defaults.reuseaddr ? .reuseaddr : ReuseOptions()).union(defaults.reuseport ? .reuseport : [])
  }
}

/// What the server at the other end could change, in its own words: offered only where the rules say that the
/// planned bind would then work. SO_REUSEPORT there is named only to somebody who plans to share the port, or where the
/// protocol is made for that.
func settingThere(_ situation: Situation) -> [Suggestion] {
  let shares = situation.planned.contains(.reuseport) || situation.isSharedByProtocol
  let options: [Suggestion.Option] = shares ? [.reuseaddr, .reuseport, .v6only] : [.reuseaddr, .v6only]
  let planned = situation.isSharedByProtocol ? [.reuseaddr, .reuseport] : situation.planned
  // The first that works is enough: one line for one fix.
  return options.lazy.compactMap { settingThere(situation, $0, planned) }.prefix(1).map { $0 }
}

private func settingThere(
  _ situation: Situation, _ option: Suggestion.Option, _ planned: ReuseOptions
) -> Suggestion? {
  var after = situation.snapshot
  var settings: [String] = []
  for blocker in situation.outcome(situation.planned)?.blockers ?? [] {
    let socket = situation.socket(blocker)
    guard let (changed, setting) = socket.changed(option) else { continue }
    after.sockets[blocker.socket] = changed
    if !settings.contains(setting) { settings.append(setting) }
  }
  guard !settings.isEmpty else { return nil }
  let works = outcomes(of: situation.attempt, in: after).first { $0.options == planned }?.verdict == .ok
  // A changed SO_REUSEPORT leaves the order of earlier binds open, which a restart of the other side settles.
  guard works || option == .reuseport else { return nil }
  let here = planned.subtracting(situation.planned)
  return Suggestion(
    kind: .otherSide, option: option, certainty: .when(.mayRestartServer),
    text: "set \(option.rawValue) there, \(settings.listed())"
      + (here.isEmpty ? "" : "; and \(here.names) on this socket"))
}

extension SocketObservation {
  /// The socket as it would be with the option set by its server's own setting; nil where that is set already,
  /// where the server is not recognised, or where it has no setting.
  fileprivate func changed(_ option: Suggestion.Option) -> (SocketObservation, setting: String)? {
    guard let runtime = processes.lazy.compactMap({ Runtime(executable: $0.executable) }).first else { return nil }
    var changed = self
    switch option {
    case .reuseaddr where reuseaddr.sure == false: changed.reuseaddr = .known(true, .getsockopt)
    case .reuseport where reuseport.sure == false: changed.reuseport = .known(true, .getsockopt)
    case .v6only where v6only?.sure == false: changed.v6only = .known(true, .sockDiag)
    default: return nil
    }
    return runtime.settings[option].map { (changed, "in \(runtime.name) `\($0)`") }
  }
}
