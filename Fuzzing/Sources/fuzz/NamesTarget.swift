@testable import SocketModel

@testable import PortwhyCLI
@testable import Answers

/// A byte for the file, a part with the word that is completed, then the file.
func fuzzNames(_ input: inout FuzzInput) {
  let kind = input.choice(of: 3)
  let word = String(decoding: input.part(), as: UTF8.self)
  let text = input.text()
  switch kind {
  case 0: fuzzServices(text, word)
  case 2: fuzzHosts(text, word)
  default: check(Candidate.users(passwd: text))
  }
}

private func fuzzHosts(_ text: String, _ word: String) {
  let hosts = HostNames(parsing: text, own: "Own")
  require(hosts.addresses(of: "oWN") != nil, "this host's own name is known, whatever the file says")
  guard let found = hosts.addresses(of: word) else { return }
  require(Set(found).count == found.count, "each address once")
  require(hosts.addresses(of: word.lowercased()) == found, "capital letters make no difference")
}

private func fuzzServices(_ text: String, _ word: String) {
  let table = ServiceTable(parsing: text)
  for entry in table.entries {
    require(table.port(named: entry.name, entry.transport) == entry.port, "a name that is listed is found")
    require(entry.port > 0 && !entry.name.contains { $0 == " " || $0 == "\t" || $0 == "#" }, "a name and its port")
  }
  let inUse = (0..<400).map { number in
    PortInUse(
      transport: number % 3 == 0 ? .udp : .tcp, port: Port(UInt16(7900 + number)), state: .listen, commands: [word])
  }
  for transports in [[], [.tcp], [.udp]] as [Set<TransportProtocol>] {
    let target = TargetWord(word, transports: transports)
    check(
      target.candidates(services: { table }) { ports, isWanted in
        inUse.filter { ports.contains($0.port.rawValue) && isWanted($0.port) }
      })
  }
  _ = GivenOptions(halfTyped: word.split(separator: " ").map(String.init)).transports
}

/// A line of completion is one line with one tab at most and nothing that a terminal obeys.
private func check(_ candidates: [Candidate]) {
  for candidate in candidates {
    let line = candidate.line
    guard !line.isEmpty else { continue }
    require(line.utf8.last == UInt8(ascii: "\n"), "a line ends")
    require(line.utf8.count { $0 < 0x20 } <= 2 && !line.utf8.contains(0x7f), "a line has a tab and an end")
  }
}
