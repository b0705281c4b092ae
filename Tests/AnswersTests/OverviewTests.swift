import BindRules
import KernelLab
import SocketModel
import Testing

@testable import Answers

/// The ports of a namespace with a server, whose connections come from it, as both kinds of overview see them.
private struct Overviews {
  var server: Port
  var table: Report
  var whole: Report

  init(connections: Int) throws {
    self = try NetworkNamespace.run(NamespaceConfiguration(devices: false)) { namespace in
      let server = try namespace.freshPort()
      var sockets = HeldSockets()
      try sockets.connect(connections, through: server)
      let overviews = Overviews(
        server: server, table: try Portwhy.overview([.tcp], in: nil, .table),
        whole: try Portwhy.overview([.tcp], in: nil, .everySocket))
      #expect(sockets.count == 1 + 2 * connections)
      return overviews
    }
  }

  private init(server: Port, table: Report, whole: Report) {
    (self.server, self.table, self.whole) = (server, table, whole)
  }
}

@Suite("The overview", .enabled(if: NetworkNamespace.isPermittedOrRequired))
struct OverviewTests {
  private static let many = OverviewDetail.clientPortsShown + 4

  @Test("asks no connections for options, and holds of a server that has them the listener alone")
  func asksNoConnections() throws {
    let overviews = try Overviews(connections: Self.many)
    let sockets = overviews.table.targets.flatMap(\.sockets)
    #expect(sockets.filter(\.holdsPort).allSatisfy { $0.reuseaddr == .known(true, .getsockopt) })
    let connections = sockets.filter { !$0.holdsPort }
    #expect(connections.count == Self.many && connections.allSatisfy { $0.reuseaddr.sure == nil })
    let server = try #require(overviews.table.targets.first { $0.port == overviews.server })
    #expect(server.sockets.map(\.state) == [.listen] && server.unlistedConnections == Self.many)
    // The same sockets, where everything of each is wanted.
    let all = overviews.whole.targets.flatMap(\.sockets)
    #expect(all.count == 1 + 2 * Self.many && all.allSatisfy { $0.reuseaddr.sure != nil })
    #expect(overviews.whole.targets.allSatisfy { $0.unlistedConnections == 0 })
  }

  @Test("shows the options of the few connections that have a line each")
  func fewClients() throws {
    let overviews = try Overviews(connections: 3)
    let clients = overviews.table.targets.filter { $0.port != overviews.server }
    #expect(clients.count == 3 && clients.flatMap(\.sockets).allSatisfy { $0.reuseaddr.sure == false })
  }

  @Test("has the same ports with the same owners however much of the sockets is held", arguments: [3, many])
  func samePorts(connections: Int) throws {
    let overviews = try Overviews(connections: connections)
    func ports(_ report: Report) -> [[String]] {
      report.targets.map { target in
        let first = target.sockets.first { $0.holdsPort } ?? target.sockets[0]
        return [
          "\(target.port)", "\(first.state)", "\(first.local.address)", "\(first.owner)",
          "\(first.processes.map(\.pid))",
        ]
      }
    }
    #expect(ports(overviews.table) == ports(overviews.whole))
    #expect(overviews.table.visibility == overviews.whole.visibility)
  }
}
