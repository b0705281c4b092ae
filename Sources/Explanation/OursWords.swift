package import SocketModel

// `--ours`, in words.

/// Who of those in the way is not one's own; nil where no socket is in the way.
///
/// - Parameters:
///   - sockets: those that are not, with the holders alone that do not match.
///   - predicates: as they were given.
package func notOursNote(_ sockets: [SocketObservation], _ predicates: [String]) -> Note? {
  var holders: [String] = []
  for socket in sockets where !holders.contains(socket.foreignText) { holders.append(socket.foreignText) }
  guard !holders.isEmpty else { return nil }
  let (are, `do`) = holders.count > 1 ? ("are", "do") : ("is", "does")
  let isHidden = sockets.allSatisfy { $0.owner == .hidden }
  let reason =
    isHidden ? "a holder that cannot be seen never is" : "\(`do`) not match \(predicates.listed(atMost: 8, "or"))"
  return Note(kind: .notOurs, text: "\(holders.listed(atMost: 3)) \(are) not ours: \(reason)")
}

/// `ours (unit=nginx.service)`: what stands for `taken` where the port is one's own.
func oursText(_ matched: [String]) -> String {
  "ours\(matched.isEmpty ? "" : " (\(matched.listed(atMost: 3)))")"
}

extension SocketObservation {
  fileprivate var foreignText: String {
    switch owner {
    case .process:
      guard let first = processes.first else { return "a process" }
      let place = first.container.map { "container " + shortContainer($0) } ?? first.unit
      let rest = processes.count == 1 ? "" : " and \(processes.count - 1) more"
      return "\(first.command) (pid \(first.pid)\(place.map { ", " + $0 } ?? ""))\(rest)"
    case .none: return state == .timeWait ? "TIME_WAIT without a listener" : "\(state) without a process"
    case .kernel, .hidden: return holderText
    }
  }
}
