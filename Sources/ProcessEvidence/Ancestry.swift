import SocketModel

extension VisitedProcess {
  /// Fills in the parent, and the leader of the process group if that has gone while its session lives on.
  func readAncestry(into record: inout ProcessRecord) {
    guard let text = try? contents(of: "../stat", in: directory), let stat = ProcessStat(text) else { return }
    record.parent = stat.parent
    // Where process 1 cannot be seen /proc hides processes, and a leader may only be hidden.
    guard stat.group != pid, stat.group > 0, stat.session > 0, stat.session != stat.group, exists(1),
      !exists(stat.group), exists(stat.session)
    else { return }
    record.goneLeader = stat.group
  }

  private func exists(_ other: Int32) -> Bool {
    (try? fileStatus(at: "../../\(other)/stat", in: directory)) != nil
  }

  /// What a docker-proxy forwards to, from its own arguments; nil for every other program.
  ///
  /// The arguments of no other program are read, and of these nothing else is kept: arguments hold secrets.
  func forwardedEndpoint(_ record: ProcessRecord) -> Endpoint? {
    let name = record.executable.map { $0.split(separator: "/").last.map(String.init) ?? "" } ?? record.command
    guard name == "docker-proxy", let text = try? contents(of: "../cmdline", in: directory) else { return nil }
    return dockerProxyTarget(arguments: text.split(separator: 0).map { String(decoding: $0, as: UTF8.self) })
  }
}

/// `-container-ip ADDRESS -container-port PORT` of a docker-proxy, also written with two dashes or with `=`.
func dockerProxyTarget(arguments: [String]) -> Endpoint? {
  func value(_ name: String) -> String? {
    for (index, word) in arguments.enumerated() {
      let option = word.hasPrefix("--") ? word.dropFirst(2) : word.hasPrefix("-") ? word.dropFirst(1) : ""
      if option == name { return index + 1 < arguments.count ? arguments[index + 1] : nil }
      if option.hasPrefix(name + "=") { return String(option.dropFirst(name.count + 1)) }
    }
    return nil
  }
  guard let address = value("container-ip").flatMap({ IPAddress($0) }),
    let port = value("container-port").flatMap({ UInt16($0) })
  else { return nil }
  return Endpoint(address: address, port: Port(port))
}

/// The numbers of `/proc/PID/stat` that tell where a process comes from (proc_pid_stat(5)).
struct ProcessStat: Sendable, Hashable {
  var parent: Int32
  var group: Int32
  var session: Int32

  init?(_ stat: [UInt8]) {
    // The command name may hold anything, brackets and blanks too: the fields start after the last ")".
    guard let end = stat.lastIndex(of: UInt8(ascii: ")")) else { return nil }
    let fields = stat[stat.index(after: end)...].split(separator: UInt8(ascii: " ")).prefix(4).map {
      Int32(String(decoding: $0, as: UTF8.self))
    }
    guard fields.count == 4, let parent = fields[1], let group = fields[2], let session = fields[3] else {
      return nil
    }
    self.parent = parent
    self.group = group
    self.session = session
  }
}
