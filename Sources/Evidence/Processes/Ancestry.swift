import Linux
import SocketModel

extension VisitedProcess {
  /// Fills in the parent, when it was started, and the leader of the process group if that has gone while its session lives on.
  func readAncestry(into record: inout ProcessRecord) {
    guard let text = try? directory.contents(of: "../stat"), let stat = ProcessStat(text) else { return }
    record.parent = stat.parent
    record.startedAt = stat.startedAt
    // Where process 1 cannot be seen /proc hides processes, and a leader may only be hidden.
    guard stat.group != pid, stat.group > 0, stat.session > 0, stat.session != stat.group, exists(1),
      !exists(stat.group), exists(stat.session)
    else { return }
    record.goneLeader = stat.group
  }

  private func exists(_ other: Int32) -> Bool {
    (try? directory.status(of: "../../\(other)/stat")) != nil
  }

  /// What a docker-proxy forwards to, from its own arguments; nil for every other program.
  ///
  /// The arguments of no other program are read, and of these nothing else is kept: arguments hold secrets.
  func forwardedEndpoint(_ record: ProcessRecord) -> Endpoint? {
    let name = record.executable.map { $0.split(separator: "/").last.map(String.init) ?? "" } ?? record.command
    guard name == "docker-proxy", let text = try? directory.contents(of: "../cmdline") else { return nil }
    return dockerProxyTarget(arguments: text.split(separator: 0).map { String(decoding: $0, as: UTF8.self) })
  }
}
