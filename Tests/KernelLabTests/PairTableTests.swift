import BindRules
import KernelLab
import SocketModel
import Testing

/// An address with IPV6_V6ONLY, as the rows and columns of the overlap table name it.
private struct Place: Sendable {
  var name: String
  var address: String
  var v6only: Bool?
}

private let places = [
  Place(name: "4any", address: "0.0.0.0"), Place(name: "4a", address: "127.0.0.1"),
  Place(name: "4b", address: "127.0.0.2"), Place(name: "6any", address: "::", v6only: false),
  Place(name: "6any!", address: "::", v6only: true), Place(name: "6u", address: "::1"),
  Place(name: "6v", address: "fd77::1"), Place(name: "6mAny", address: "::ffff:0.0.0.0", v6only: false),
  Place(name: "6ma", address: "::ffff:127.0.0.1", v6only: false),
]

/// X: the new socket (row) and the existing one (column) overlap. `6u*` is a socket on ::1 without V6ONLY: the
/// child of a dual-stack listener, or a connected UDP socket.
private let table = """
  new    4any 4a 4b 6any 6any! 6u 6v 6mAny 6ma 6u*
  4any   X    X  X  X    .     .  .  X     X   X
  4a     X    X  .  X    .     .  .  X     X   .
  4b     X    .  X  X    .     .  .  X     .   .
  6any   X    X  X  X    X     X  X  X     X   X
  6any!  .    .  .  X    X     X  X  .     .   X
  6u     .    .  .  X    X     X  .  .     .   X
  6v     .    .  .  X    X     .  X  .     .   .
  6mAny  X    X  X  X    .     .  .  X     X   .
  6ma    X    X  .  X    .     .  .  X     X   .
  """

@Suite(.enabled(if: kernelTestsRun, "needs CAP_SYS_ADMIN for a network namespace"))
struct PairTableTests {
  @Test("which receive addresses overlap", arguments: TransportProtocol.allCases)
  func overlap(_ transport: TransportProtocol) throws {
    let lines = table.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
    let observed = try NetworkNamespace.run { (namespace: inout NetworkNamespace) in
      var rows: [[String]] = [lines[0]]
      for row in places {
        var cells = [row.name]
        for column in lines[0].dropFirst() {
          let attempt = Attempt(transport, ip(row.address), v6only: row.v6only)
          let trial = try namespace.trial(Scenario([existing(column, transport)], attempt), [])
          let built = trial.outcomes.allSatisfy(\.isBuilt)
          cells.append(!built ? "?" : trial.result.description == inUse ? "X" : trial.result.bind == .ok ? "." : "!")
        }
        rows.append(cells)
      }
      return rows
    }
    for (expected, seen) in zip(lines, observed) { #expect(expected == seen, "\(lines[0])") }
    #expect(observed.count == lines.count)
  }

  private func existing(_ column: String, _ transport: TransportProtocol) -> Holder {
    guard let place = places.first(where: { $0.name == column }) else {
      return transport == .tcp
        ? Holder(.child(.established, listenerStays: false), .tcp, ip("::"), v6only: false, peer: ip("::1"))
        : Holder(.connected, .udp, ip("::"), v6only: false, peer: ip("::1"))
    }
    return Holder(.bound, transport == .tcp ? .tcp : .udp, ip(place.address), v6only: place.v6only)
  }
}
