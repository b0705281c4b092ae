import Glibc
import KernelLab
import Linux
import SocketModel
import Testing

@Suite("Stillness", .enabled(if: NetworkNamespace.isPermittedOrRequired, "needs a private network namespace"))
struct StillnessTests {
  /// Whether one of so many looks is sure, in a namespace where nothing moves but what `act` does on a port.
  private func isSure(looks: Int = 1, _ act: (Port) throws -> Void) throws -> Bool {
    try NetworkNamespace.run { (namespace: inout NetworkNamespace) in
      let port = try namespace.freshPort()
      for _ in 0..<looks where try Stillness.during({ try act(port) }).isSure { return true }
      return false
    }
  }

  @Test("is not sure of a look in which a socket listens for a while", arguments: [IPAddress.v4(.any), .v6(.any)])
  func listening(on address: IPAddress) throws {
    let isSure = try isSure { port in
      var sockets = HeldSockets()
      try sockets.listen(on: address, port)
      usleep(5000)
      _ = sockets.count
    }
    #expect(!isSure)
  }

  @Test("is not sure of a look in which a socket moves to and fro", arguments: MovingSocket.allCases)
  func moving(by way: MovingSocket) throws {
    let isSure = try isSure { port in
      var rest = 300
      try way.move(port, isBound: {}) {
        rest -= 1
        return rest < 0
      }
    }
    #expect(!isSure)
  }

  @Test("is sure of a look in which no socket moves, once a second processor is free", .enabled(if: hasProcessors))
  func still() throws { #expect(try isSure(looks: 20_000) { _ in usleep(1000) }) }
}

private let hasProcessors = sysconf(Int32(_SC_NPROCESSORS_ONLN)) > 1
