import Glibc
import KernelLab
import Netlink
import Explanation
import Evidence
import SocketModel
import Testing

/// A server of the catalogue and a command line that has it listen on a port, on `::` too where it says so.
private struct LiveServer: Sendable, CustomTestStringConvertible {
  var runtime: String
  /// The first of these that exists is run.
  var programs: [String]
  var arguments: [String]
  var testDescription: String { runtime }

  static let all = [
    LiveServer(
      runtime: "node", programs: ["/usr/bin/node"], arguments: ["-e", "require('net').createServer().listen(PORT)"]),
    LiveServer(
      runtime: "python", programs: ["/usr/bin/python3"], arguments: ["-m", "http.server", "--bind", "::", "PORT"]),
    LiveServer(
      runtime: "socketserver", programs: ["/usr/bin/python3"],
      arguments: [
        "-c", "import socketserver as s; s.TCPServer(('127.0.0.1', PORT), s.BaseRequestHandler).serve_forever()",
      ]),
    LiveServer(
      runtime: "asyncio", programs: ["/usr/bin/python3"],
      arguments: [
        "-c",
        "import asyncio\nasync def m():\n  s = await asyncio.start_server(None, '::', PORT)\n  await s.serve_forever()\n"
          + "asyncio.run(m())",
      ]),
    LiveServer(
      runtime: "ruby", programs: ["/usr/bin/ruby"],
      arguments: ["-rsocket", "-e", "TCPServer.new('::', PORT); sleep"]),
    LiveServer(runtime: "php", programs: ["/usr/bin/php"], arguments: ["-S", "[::]:PORT"]),
    LiveServer(
      runtime: "memcached", programs: ["/usr/bin/memcached"], arguments: ["-u", "root", "-l", "::", "-p", "PORT"]),
    LiveServer(
      runtime: "redis", programs: ["/usr/bin/redis-server"],
      arguments: ["--port", "PORT", "--bind", "::", "--save", "", "--dir", "/tmp"]),
  ]
}

private let port: UInt16 = 8123

/// Says on standard error what did not run, and why.
private func sayNotRun(_ reason: String) {
  let line = "NOT RUN: \(reason)\n"
  _ = line.withCString { write(2, $0, line.utf8.count) }
}

/// Starts a program in the calling thread's network namespace, without input and output.
private func start(_ program: String, _ arguments: [String]) -> pid_t? {
  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  defer { posix_spawn_file_actions_destroy(&actions) }
  for descriptor in [Int32(0), 1, 2] {
    posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0)
  }
  var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
  defer { for word in words { free(word) } }
  var pid: pid_t = 0
  return posix_spawn(&pid, program, &actions, nil, &words, environ) == 0 ? pid : nil
}

@Suite("The catalogue against the servers themselves", .serialized)
struct LiveRuntimeTests {
  @Test("a server sets by itself what its entry says, and its executable is recognised", arguments: LiveServer.all)
  private func defaults(_ server: LiveServer) throws {
    guard let program = server.programs.first(where: { access($0, X_OK) == 0 }) else {
      sayNotRun("\(server.runtime) is not installed")
      return
    }
    guard NetworkNamespace.isPermittedOrRequired else {
      sayNotRun("no private network namespace")
      return
    }
    let runtime = try #require(Runtime(named: server.runtime))
    let arguments = server.arguments.map { $0.replacing("PORT", with: String(port)) }
    let socket = try NetworkNamespace.run(NamespaceConfiguration(devices: false)) { _ in
      try listener(of: program, arguments)
    }
    let found = try #require(socket, "\(program) never listened")
    #expect(found.reuseaddr.sure == runtime.tcp?.reuseaddr)
    #expect(found.reuseport.sure == runtime.tcp?.reuseport)
    if found.family == .ipv6 {
      // A new namespace has bindv6only 0.
      #expect(found.v6only?.sure == (runtime.tcp?.v6only == .set))
    }
    if !runtime.executables.isEmpty {
      #expect(Runtime(executable: found.processes.first?.executable)?.name == runtime.name)
    }
  }

  /// The listening socket of the program, nil where it does not listen within a minute. The program is ended.
  private func listener(of program: String, _ arguments: [String]) throws -> SocketObservation? {
    guard let pid = start(program, arguments) else { return nil }
    defer {
      kill(pid, SIGKILL)
      waitpid(pid, nil, 0)
    }
    for _ in 0..<1200 {
      var sockets = try SocketDump().sockets(.tcp, ports: port...port).filter { $0.state == .listen }
      if !sockets.isEmpty {
        _ = ProcessReader().examine(&sockets)
        return sockets.first
      }
      usleep(50_000)
    }
    return nil
  }
}
