import BindRules
package import SocketModel

/// A runtime or server: what its sockets get by default and where it binds them, and how its users change that.
///
/// The defaults are those of a socket that the runtime itself creates, in the versions named by `evidence`;
/// a program may override each of them.
public struct Runtime: Sendable, Hashable {
  /// What the runtime does with IPV6_V6ONLY of an AF_INET6 listening socket.
  package enum V6Only: String, Sendable, Hashable, CaseIterable {
    /// Sets it: the socket serves IPv6 alone.
    case set
    /// Clears it: a socket on `::` serves IPv4 too.
    case cleared
    /// Leaves it as `net.ipv6.bindv6only` has it.
    case host
  }

  /// What its sockets of one transport are like where its user says nothing.
  package struct Defaults: Sendable, Hashable {
    /// It sets SO_REUSEADDR.
    package var reuseaddr: Bool
    /// It sets SO_REUSEPORT.
    package var reuseport: Bool
    /// What it does with IPV6_V6ONLY.
    package var v6only: V6Only
    /// It sets IP_FREEBIND: an address that the host lacks is no obstacle.
    package var freebind: Bool
    /// Where it binds, each address with a socket of its own; nil where its user says so, and both wildcards are judged.
    package var addresses: [IPAddress]?

    /// Without arguments a socket without options.
    package init(
      reuseaddr: Bool = false, reuseport: Bool = false, v6only: V6Only = .host, freebind: Bool = false,
      addresses: [IPAddress]? = nil
    ) {
      self.reuseaddr = reuseaddr
      self.reuseport = reuseport
      self.v6only = v6only
      self.freebind = freebind
      self.addresses = addresses
    }
  }

  /// How the defaults were found out.
  package enum Evidence: Sendable, Hashable {
    /// The program was run and its setsockopt(2) calls were watched: what ran.
    case watched(String)
    /// The source or the manual at `source` says so: which version.
    case read(String)
  }

  /// What a user of the runtime writes to have an option on, in its own words; nil where it has no setting for it. What
  /// makes a server take IPv4 alone is no way to leave IPv4 to others, and so not here.
  package struct Settings: Sendable, Hashable {
    /// Sets SO_REUSEADDR, where the default does not.
    package var reuseaddr: String?
    /// Sets SO_REUSEPORT; for a runtime that sets it by itself, what undoes the setting that switches it off.
    package var reuseport: String?
    /// Sets IPV6_V6ONLY, so that a socket on `::` leaves IPv4 alone; likewise.
    package var v6only: String?
    /// Lets it bind an address that the host does not have (yet): IP_FREEBIND or IP_TRANSPARENT.
    package var freebind: String?
    /// Chooses the address to bind.
    package var address: String?

    /// What is not given has no setting.
    package init(
      reuseaddr: String? = nil, reuseport: String? = nil, v6only: String? = nil, freebind: String? = nil,
      address: String? = nil
    ) {
      self.reuseaddr = reuseaddr
      self.reuseport = reuseport
      self.v6only = v6only
      self.freebind = freebind
      self.address = address
    }
  }

  /// The word of `--runtime` and of the report.
  public var name: String
  /// Other words for it.
  package var aliases: [String]
  /// The base names of its executables, without version numbers (`python`, not `python3.11`); empty for a library.
  package var executables: [String]
  /// Its listening TCP sockets; nil where it has none.
  package var tcp: Defaults?
  /// Its UDP sockets; nil where it has none, or where nothing is known of them.
  package var udp: Defaults?
  /// What its users write to change that.
  package var settings: Settings
  /// What somebody should know who finds it on a port: one sentence, lower case, without a full stop.
  package var remark: String?
  package var evidence: Evidence
  /// Where the default or the setting is documented.
  package var source: String

  /// An entry of the catalogue.
  package init(
    _ name: String, aliases: [String] = [], executables: [String] = [], tcp: Defaults? = nil, udp: Defaults? = nil,
    settings: Settings = Settings(), remark: String? = nil, evidence: Evidence, source: String
  ) {
    self.name = name
    self.aliases = aliases
    self.executables = executables
    self.tcp = tcp
    self.udp = udp
    self.settings = settings
    self.remark = remark
    self.evidence = evidence
    self.source = source
  }

  /// An entry of a server of TCP.
  init(
    _ name: String, aliases: [String] = [], executables: [String] = [], reuseaddr: Bool, reuseport: Bool = false,
    v6only: V6Only, at addresses: [IPAddress]? = nil, udp: Defaults? = nil, settings: Settings, remark: String? = nil,
    evidence: Evidence, source: String
  ) {
    self.init(
      name, aliases: aliases, executables: executables,
      tcp: Defaults(reuseaddr: reuseaddr, reuseport: reuseport, v6only: v6only, addresses: addresses), udp: udp,
      settings: settings, remark: remark, evidence: evidence, source: source)
  }

  /// The defaults of one transport.
  package func defaults(_ transport: TransportProtocol) -> Defaults? { transport == .tcp ? tcp : udp }
}

extension Runtime {
  /// The entry of this name or alias, in any case; nil where there is none.
  public init?(named word: String) {
    let word = word.lowercased()
    guard let entry = Self.catalogue.first(where: { $0.name == word || $0.aliases.contains(word) }) else {
      return nil
    }
    self = entry
  }

  /// The name or alias that is spelled most like `word`; nil where none is close.
  package static func nearest(to word: String) -> String? {
    let word = String(word.lowercased().prefix(64))
    let all = catalogue.flatMap { [$0.name] + $0.aliases }
    let best = all.map { (name: $0, distance: editDistance(Array(word), Array($0))) }.min {
      $0.distance < $1.distance
    }
    guard let best, best.distance <= max(2, word.count / 3), best.distance < best.name.count else { return nil }
    return best.name
  }

  /// The entry whose executable this is: the base name, without `(deleted)` and version numbers, and nothing else
  /// of the process; nil for every other program.
  package init?(executable path: String?) {
    guard let path else { return nil }
    let whole = path.hasSuffix(" (deleted)") ? path.dropLast(10) : path[...]
    let base = whole.utf8.lastIndex(of: UInt8(ascii: "/")).map { whole[whole.utf8.index(after: $0)...] } ?? whole
    let versionBytes = UInt8(ascii: "-")...UInt8(ascii: "9")
    let stem = base.utf8.lastIndex { !versionBytes.contains($0) }.map { base[...$0] } ?? ""
    var index = Self.index(executable: String(base))
    if index == nil, stem != base { index = Self.index(executable: String(stem)) }
    guard let index else { return nil }
    self = Self.catalogue[index]
  }

  private static func index(executable name: String) -> Int? { indices[name] }

  /// Made once: each socket of a port is asked for, several times.
  private static let indices = Dictionary(
    catalogue.indices.flatMap { index in catalogue[index].executables.map { ($0, index) } },
    uniquingKeysWith: { first, _ in first })
}

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
  // The sockets of a port have few programs: mostly that of the socket before.
  var last: (executable: String?, runtime: Runtime?) = (nil, nil)
  func runtime(of processes: [ProcessRecord]) -> Runtime? {
    for process in processes {
      if process.executable != last.executable {
        last = (process.executable, Runtime(executable: process.executable))
      }
      if let runtime = last.runtime { return runtime }
    }
    return nil
  }
  for blocker in situation.outcome(situation.planned)?.blockers ?? [] {
    guard let runtime = runtime(of: after.sockets[blocker.socket].processes), let words = runtime.settings[option],
      after.sockets[blocker.socket].turnOn(option)
    else { continue }
    let setting = "in \(runtime.name) `\(words)`"
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
  /// Sets the option, as its server's own setting would; false where it is not known to be off.
  fileprivate mutating func turnOn(_ option: Suggestion.Option) -> Bool {
    switch option {
    case .reuseaddr where reuseaddr.sure == false: reuseaddr = .known(true, .getsockopt)
    case .reuseport where reuseport.sure == false: reuseport = .known(true, .getsockopt)
    // With it nobody binds an IPv4-mapped address.
    case .v6only where v6only?.sure == false && (remote != nil || local.address.plain.family == .ipv6):
      v6only = .known(true, .sockDiag)
    default: return false
    }
    return true
  }
}
