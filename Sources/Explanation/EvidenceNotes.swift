package import BindRules
package import SocketModel

// Remarks about how the answer was made, what it met on the way, and what was found beside it.

extension Note {
  // MARK: The plan

  /// Nobody said whose the socket is, the port is privileged, and sudo(8) was used.
  package static func judgedAsRoot(insteadOf uid: UInt32, _ host: HostFacts) -> Note {
    Note(
      kind: .privilegedPort,
      text: "judged as root, as by sudo: uid \(uid), who called it, gets EACCES, because ports below"
        + " \(host.unprivilegedPortStart ?? 1024) need CAP_NET_BIND_SERVICE")
  }

  package static let familySkipped = Note(
    kind: .familySkipped, text: "this host has no IPv6, so only 0.0.0.0 is judged")

  /// The planned socket has a device that nobody asked for.
  package static func placeDevice(_ name: String) -> Note {
    Note(
      kind: .placeDevice,
      text:
        "a socket made here is bound to \(name) from the start (a program of the control group, as ip vrf exec has"
        + " one), and so is the planned one")
  }

  // MARK: The look

  /// Sockets that ended between the dump and the walk of the iterators.
  package static func vanished(_ count: Int) -> Note {
    let sockets = count == 1 ? "a socket without owner" : "\(count) sockets without owner"
    return Note(
      kind: .vanished, text: "\(sockets) ended while portwhy looked, and \(count == 1 ? "was" : "were") left out")
  }

  /// What was asked and did not answer in time; nil for what an earlier look asked.
  package static func noAnswer(_ source: SilentSource?) -> Note {
    let what =
      if let pid = source?.pid {
        "\(source?.command ?? "")(\(pid)) keeps whoever looks at its descriptors waiting"
      } else if let iterator = source?.iterator {
        "a process keeps a \(iterator.uppercased()) socket of this network namespace locked, on whatever port"
      } else {
        "what an earlier look asked has not answered yet"
      }
    return Note(kind: .noAnswer, text: "\(what): it was not waited for, and what it would have told is not known")
  }

  /// Sockets of the other transport on the port.
  package static func otherProtocol(_ sockets: Int, of transport: TransportProtocol, _ command: Command) -> Note {
    Note(
      kind: .otherProtocol,
      text:
        "\(counted(sockets, "\(transport.name) socket")) on this port: never in the way of \(transport.other.name)"
        + " (\(command.text))")
  }

  // MARK: What has a say besides

  /// A firewall rule of this chain sends what comes for the port elsewhere.
  package static func redirected(chain: String, to target: String?) -> Note {
    Note(
      kind: .redirected,
      text: "a firewall rule in \(chain) sends traffic for this port\(target.map { " to \($0)" } ?? " elsewhere"),"
        + " before a socket sees it: a bind works, but what the rule matches never arrives")
  }

  /// The port in a network namespace that has a name, or this inode.
  package static func otherNamespace(_ sockets: [SocketObservation], name: String?, inode: UInt64) -> Note {
    let processes = sockets.flatMap(\.processes)
    let container = processes.lazy.compactMap(\.container).first
    let holder = processes.first?.text ?? hiddenText(nil)
    let place = name ?? container.map { "container \(shortContainer($0))" } ?? "net:[\(inode)]"
    return Note(
      kind: .otherNamespace,
      text: "\(holder) has the port in another network namespace (\(place)), which does not block this one")
  }

  /// More network namespaces than are entered.
  package static func namespacesLeftOut(_ count: Int) -> Note {
    Note(kind: .otherNamespace, text: "\(counted(count, "more network namespace")) not looked at: there are too many")
  }

  // MARK: Real binds

  package static func probed(_ combinations: [ReuseOptions]) -> Note {
    let names = combinations.map { $0.isEmpty ? "no option" : $0.names }
    return Note(kind: .probed, text: "settled by a real bind: \(names.joined(separator: ", "))")
  }

  package static let probeMemory = Note(
    kind: .probeMemory,
    text:
      "the bind bucket of the port remembers the real bind with SO_REUSEPORT: as long as one of the port's sockets is"
      + " left, binds with SO_REUSEPORT of that user and address pass")

  package static func probeRefused(_ reason: String) -> Note {
    Note(kind: .probeRefused, text: "not probed: \(reason)")
  }

  package static let probeChanged = Note(
    kind: .probeChanged, text: "the sockets of the port changed while it was probed: ask again")

  package static func probeOutside(_ errno: SystemError) -> Note {
    Note(
      kind: .probeOutside,
      text: "a real bind fails with \(errno) before the port is looked at: a security module or a control group"
        + " program refuses it to portwhy, which says nothing about the planned program")
  }

  package static func probeContradiction(_ outcome: BindOutcome, _ answer: CallResult) -> Note {
    let options = outcome.options.isEmpty ? "no option" : outcome.options.names
    return Note(
      kind: .probeContradiction,
      text: "a bug of portwhy: \(options), the rules said \(outcome.bind), a real bind says \(answer)")
  }
}

extension Diagnosis {
  /// Adds what a program can say of its own failed bind: that it would work now, or which descriptors of the program
  /// itself are in the way.
  package mutating func addOwnProgram(_ descriptors: [Int32]?, wouldWork: Bool) {
    if wouldWork {
      notes.append(
        Note(kind: .goneMeanwhile, text: "what made it fail is not there any more: the same bind would work now"))
    }
    guard let descriptors else { return }
    notes.removeAll { $0.kind == .olderCopy }
    let numbers = descriptors.sorted().map(String.init).joined(separator: ", ")
    notes.append(
      Note(
        kind: .ownProgram,
        text: "this program itself is in its own way, with descriptor\(descriptors.count == 1 ? "" : "s") \(numbers):"
          + " does it bind twice?"))
    suggestions.removeAll { $0.kind == .stopHolder || $0.kind == .findHolder }
    suggestions.insert(
      Suggestion(
        kind: .closeOwn, certainty: .when(.notNeeded),
        text: "close what has the port before this bind, or bind once and use the one socket"), at: 0)
  }
}

extension TransportProtocol {
  fileprivate var name: String { rawValue.uppercased() }
}
