import BindRules
import Explanation
import SocketModel

extension SocketObservation {
  /// What the runtime of the program behind the socket sets by default: that of a process that holds it, else the one
  /// that its control group is named after, as nginx.service is.
  var usualOptions: UsualOptions? {
    let programs = processes.lazy.compactMap { Runtime(executable: $0.executable) }
    let runtime = programs.first ?? cgroup.flatMap(Runtime.init(controlGroup:))
    guard let defaults = runtime?.defaults(transport) else { return nil }
    let v6only: Bool? =
      switch defaults.v6only {
      case .set: true
      case .cleared: false
      case .host: nil
      }
    return UsualOptions(reuseaddr: defaults.reuseaddr, reuseport: defaults.reuseport, v6only: v6only)
  }
}

extension Runtime {
  /// The entry that a service unit at the end of the path of a control group is named after, instances of templates
  /// included: `/system.slice/ssh.service`, `/system.slice/system-postgresql.slice/postgresql@15-main.service`.
  init?(controlGroup path: String) {
    guard let last = path.utf8.split(separator: UInt8(ascii: "/")).last, let unit = String(last),
      unit.utf8.count > 8, unit.hasSuffix(".service")
    else { return nil }
    let name = unit.utf8.dropLast(8).prefix { $0 != UInt8(ascii: "@") }
    self.init(named: String(Substring(name)))
  }
}
