import BindRules
import FixtureTestSupport
import SocketModel
import Testing

@testable import Explanation

private let groups: [(name: String, rows: [MadeUp])] = [
  ("listeners", madeUpListeners), ("leftovers", madeUpLeftovers), ("udp", madeUpUDP),
  ("before-the-port", madeUpBeforeThePort), ("unsettled", madeUpUnsettled), ("notes", madeUpNotes),
  ("holders", madeUpHolders), ("sharing", madeUpSharing),
]

@Suite("What is said of a made-up port")
struct MadeUpTests {
  @Test("is what somebody read and found right", arguments: groups.map(\.name))
  func golden(_ name: String) throws {
    let rows = try #require(groups.first { $0.name == name }).rows
    #expect(Set(rows.map(\.name)).count == rows.count)
    GoldenFile.check(rows.map(\.written).joined(separator: "\n"), "made-up-\(name).txt")
  }

  @Test("with no address to bind is that there is nothing to attempt")
  func nothing() {
    let headline = Headline(Port(8080), .udp, [])
    #expect(headline.first == "8080/udp: nothing to attempt" && headline.second.isEmpty && !headline.isFree)
  }

  @Test("where a call was made is what the call tells, before what the rules say")
  func ofCall() {
    let situations = MadeUp("taken", [made(.listen, program(7, "nginx"))]).situations
    var headline = Headline(Port(8080), .tcp, situations)
    headline.ofCall = "a policy refuses the bind, not the port"
    #expect(headline.first == "8080/tcp: a policy refuses the bind, not the port")
    #expect(headline.second == "a bind to 0.0.0.0 as uid 0 fails (EADDRINUSE); with SO_REUSEADDR it fails too")
  }

  @Test("of ports side by side that nobody uses is said of all at once")
  func row() {
    let headline = Headline(Port(8080), through: Port(8085), .tcp, MadeUp("free").situations)
    #expect(headline.first == "8080-8085/tcp are free" && headline.isFree)
  }
}
