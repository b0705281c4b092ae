// A SwiftNIO server that says why it cannot bind: `explaining-server PORT [TIMES]`, TIMES to bind more than once.
import Glibc
import NIOCore
import NIOPosix
import PortwhyKit

let numbers = CommandLine.arguments.dropFirst().map { Int($0) ?? 0 }
let port = numbers.first ?? 8080
let times = numbers.dropFirst().first ?? 1

let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
  .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)

do {
  var servers: [any Channel] = []
  for _ in 0..<times {
    servers.append(try await bootstrap.bind(host: "0.0.0.0", port: port).get())
  }
  print("listening on port \(port)")
  try await servers[0].closeFuture.get()
} catch let error as IOError {
  // NIO has closed the socket by now, so its options are told by hand; a server that still has its descriptor
  // calls Portwhy.explainBindFailure(descriptor: descriptor, address: "0.0.0.0:8080", errno: errno).
  let plan = Plan(options: .reuseaddr)
  let failure = try Portwhy.explainBindFailure(of: plan, address: "0.0.0.0:\(port)", errno: error.errnoCode)
  print("\(error)\n\n\(failure.text)", terminator: "")
  exit(1)
}
