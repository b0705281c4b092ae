import BindRules
import Glibc
import KernelLab
import SocketModel

/// Asks about ports whose one socket moves between the kernel's tables: no sure ok may come out, or, of one that a bind may
/// share at every moment, no sure refusal of that bind.
func runMoving(_ settings: Settings) -> Int32 {
  var wrong = 0
  do {
    try NetworkNamespace.run { (namespace: inout NetworkNamespace) in
      for reader in settings.readers {
        for way in MovingSocket.allCases {
          let port = try namespace.freshPort()
          var moving = try SelfProcess(arguments: ["--way", way.rawValue, "--move", "\(port)"])
          guard try moving.receive() == "bound" else { throw SystemError.invalidArgument }
          var looking = try LookingProcess(reader)
          var said: [String: Int] = [:]
          let attempt = Attempt(way.transport, way.address)
          for _ in 0..<settings.scenarios {
            let answer = try looking.ask(PlanLine(attempt, port), .open).answer
            let outcomes = answer?.outcomes ?? []
            let both = outcomes.first { $0.options == [.reuseaddr, .reuseport] }
            // Whichever options: none of the four binds works at any moment.
            let isRefused = if case .fails = both?.verdict { true } else { false }
            let isWrong = way.isShared ? isRefused : outcomes.contains { $0.bind == .ok }
            if isWrong { wrong += 1 }
            let shown = way.isShared ? both : outcomes.first { $0.bind == .ok } ?? outcomes.first
            said[shown.map(outcomeText) ?? "no answer", default: 0] += 1
          }
          let words = said.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
          print("moving by \(way.rawValue), as \(reader.rawValue): \(words)")
        }
      }
    }
  } catch {
    print("could not run: \(error)")
    return 1
  }
  print("moving sockets: \(wrong) wrong")
  return wrong == 0 ? 0 : 1
}

/// The other side: moves a socket until standard input ends.
func move(_ way: MovingSocket, _ port: Port) -> Int32 {
  do throws(SystemError) {
    try way.move(
      port,
      isBound: {
        print("bound")
        fflush(nil)
      },
      until: {
        var input = pollfd(fd: 0, events: Int16(POLLIN), revents: 0)
        return poll(&input, 1, 0) != 0
      })
    return 0
  } catch {
    say("conformance: the socket cannot move by \(way.rawValue): \(error)")
    return 70
  }
}
