@testable import SocketModel

@testable import Evidence

/// A byte for what is read, then its texts.
func fuzzProcess(_ input: inout FuzzInput) {
  switch input.choice(of: 3) {
  case 0: fuzzStat(input.rest())
  case 1: fuzzArguments(input.rest())
  default: fuzzFiles(&input)
  }
}

private func fuzzStat(_ text: [UInt8]) {
  _ = mayHoldDescriptors(stat: text)
  guard let stat = ProcessStat(text) else { return }
  // The numbers stand in the text as they were read, after the last bracket.
  let fields = text.split(separator: UInt8(ascii: ")")).last?.split(separator: UInt8(ascii: " ")).map {
    String(decoding: $0, as: UTF8.self)
  }
  require(fields?.contains { Int32($0) == stat.parent } ?? false, "the parent's number is in the text")
  require(fields?.contains { Int32($0) == stat.session } ?? false, "the session's number is in the text")
}

private func fuzzArguments(_ text: [UInt8]) {
  let words = text.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
  guard let endpoint = dockerProxyTarget(arguments: words) else { return }
  require(
    words.contains {
      $0.hasSuffix(endpoint.port.description) || UInt16($0) == endpoint.port.rawValue
        || UInt16($0.split(separator: "=").last ?? "") == endpoint.port.rawValue
    }, "the port is among the words")
}

/// A process with these files, seen through a directory that looks like /proc.
private func fuzzFiles(_ input: inout FuzzInput) {
  for name in ["comm", "stat", "cgroup", "cmdline"] { proc.write("\(pid)/\(name)", input.part()) }
  for name in ["exe", "fd/3"] { proc.link("\(pid)/\(name)", to: input.part()) }
  var sockets = [
    SocketObservation(
      transport: .tcp, family: .ipv4, local: Endpoint(address: .v4(.any), port: Port(8080)), remote: nil,
      state: .listen, reuseaddr: .unknown(.hidden), reuseport: .unknown(.hidden), v6only: nil, device: nil, uid: nil,
      inode: 4711, cookie: 1, timer: nil, receiveQueue: 0, owner: .hidden)
  ]
  let reader = ProcessReader(procRoot: proc.path)
  _ = reader.examine(&sockets)
  require((sockets[0].owner == .process) == !sockets[0].processes.isEmpty, "a process that holds it is its owner")
  for process in sockets[0].processes {
    require(process.pid == pid && process.descriptors == [3], "the one process with its descriptor")
    require(process.goneLeader.map { $0 > 0 && $0 != pid } ?? true, "a leader that has gone was another process")
  }
  let names = reader.commandNames(of: [4711], within: 1_000_000)
  require(names.isEmpty == sockets[0].processes.isEmpty, "a holder that is found has a name")
}

/// More than any real one, so that no process of this host is meant.
private let pid: Int32 = 2_000_000_000

private let proc = {
  let root = FakeRoot(directories: ["\(pid)", "\(pid)/fd", "1"])
  root.write("1/stat", Array("1 (init) S 0 1 1 0".utf8))
  return root
}()
