import BindRules
import SocketModel
import Testing

@Suite("An unknown fact")
struct UnknownFactsTests {
  static let addresses = ["0.0.0.0", "127.0.0.1", "::", "::1", "::ffff:0.0.0.0"]
  static let states = ["LISTEN", "BOUND", "ESTABLISHED", "TIME_WAIT", "UDP"]

  /// Every socket over the addresses, states, flags and users.
  static let sockets: [SocketObservation] = states.flatMap { state in
    addresses.flatMap { address in
      ["", " RA", " RP", " RA RP"].flatMap { flags in
        ["", " V6ONLY"].flatMap { v6only in
          ["", " uid=5"].map { user in socket("\(state) \(address)\(flags)\(v6only)\(user)") }
        }
      }
    }
  }

  @Test("may make an answer undetermined, never turn it into the other answer")
  func neverTheOtherAnswer() {
    var undetermined = 0
    for known in Self.sockets {
      let transport = known.transport == .udp ? "UDP " : ""
      for address in Self.addresses + [":: V6ONLY"] {
        let planned = attempt(transport + address)
        let sure = outcomes(of: planned, in: Snapshot(host: openHost(), sockets: [known]))
        for blanked in Self.blankings(of: known) {
          let unsure = outcomes(of: planned, in: Snapshot(host: openHost(), sockets: [blanked]))
          for (before, after) in zip(sure, unsure) where after.bind != before.bind {
            #expect(after.bind == .undetermined, "\(planned) beside \(known)")
            #expect(!after.missing.isEmpty)
            undetermined += 1
          }
        }
      }
    }
    #expect(undetermined > 1000)
  }

  @Test("does so beside a second socket and among devices too")
  func twoSockets() {
    let addresses = ["0.0.0.0", "::", "::1"]
    let devices = ["", " dev=2", " dev=3"]
    let small = ["LISTEN", "BOUND", "TIME_WAIT", "UDP"].flatMap { state in
      addresses.flatMap { address in
        ["", " RA", " RP", " RA RP"].flatMap { flags in
          devices.dropLast().map { socket("\(state) \(address)\(flags)\($0)") }
        }
      }
    }
    var undetermined = 0
    for first in small {
      for second in small where second.transport == first.transport {
        let transport = first.transport == .udp ? "UDP " : ""
        for planned in [attempt(transport + "0.0.0.0"), attempt(transport + "::1 dev=3")] {
          let sure = outcomes(of: planned, in: Snapshot(host: openHost(), sockets: [first, second]))
          for blanked in [Self.blankings(of: first)[2], Self.blankings(of: first)[14]] {
            let unsure = outcomes(of: planned, in: Snapshot(host: openHost(), sockets: [blanked, second]))
            for (before, after) in zip(sure, unsure) where after.bind != before.bind {
              if after.bind != .undetermined { Issue.record("\(planned) beside \(first) and \(second)") }
              undetermined += 1
            }
          }
        }
      }
    }
    #expect(undetermined > 500)
  }

  @Test("that does not matter leaves the answer sure")
  func sureWhereItDoesNotMatter() {
    let hidden = socket("LISTEN 0.0.0.0 ra? rp?")
    let answer = outcomes(of: attempt("127.0.0.1"), in: Snapshot(host: openHost(), sockets: [hidden]))
    #expect(answer[0].bind == .fails(.addressInUse))
    #expect(answer[1].bind == .fails(.addressInUse))
  }

  @Test("is not replaced by a guess")
  func inferred() {
    var child = socket("TIME_WAIT 10.0.0.1")
    child.reuseaddr = .inferred(true, from: 1, because: .noOwner)
    let answer = outcomes(of: attempt("0.0.0.0"), in: Snapshot(host: openHost(), sockets: [child]))
    #expect(answer[1].bind == .undetermined)
    child.reuseport = .inferred(true, from: 1, because: .noOwner)
    #expect(
      outcomes(of: attempt("0.0.0.0"), in: Snapshot(host: openHost(), sockets: [child]))[2].bind == .undetermined)
    var wildcard = socket("LISTEN ::")
    wildcard.v6only = .inferred(true, from: 1, because: .noOwner)
    #expect(
      outcomes(of: attempt("0.0.0.0"), in: Snapshot(host: openHost(), sockets: [wildcard]))[0].bind == .undetermined)
  }

  /// The socket with each non-empty set of its facts made unknown.
  static func blankings(of known: SocketObservation) -> [SocketObservation] {
    (1..<16).map { mask in
      var blanked = known
      if mask & 1 != 0 { blanked.reuseaddr = .unknown(.hidden) }
      if mask & 2 != 0 { blanked.reuseport = .unknown(.noOwner) }
      if mask & 4 != 0, blanked.family == .ipv6 { blanked.v6only = .unknown(.hidden) }
      if mask & 8 != 0 { blanked.uid = nil }
      return blanked
    }
  }
}
