internal import Explanation
internal import SocketModel

/// What `--runtime list` prints: every runtime with what it sets and where it binds by default.
package enum RuntimeList {
  /// The table, for people.
  package static func render(style: ScreenStyle) -> String {
    var table = TextTable(header: ["NAME", "SETS", "BINDS", "ALSO CALLED"], rows: [], indent: 0)
    for runtime in Runtime.catalogue.sorted(by: { $0.name < $1.name }) {
      table.rows.append(
        .init([runtime.name, sets(runtime), binds(runtime), runtime.aliases.joined(separator: ", ")]))
    }
    return table.lines(width: style.width).joined(separator: "\n") + "\n"
  }

  /// `reuseaddr`, `both`, and with `udp:` what only its UDP sockets set.
  private static func sets(_ runtime: Runtime) -> String {
    let tcp = runtime.tcp.map(word)
    let udp = runtime.udp.map(word)
    if tcp == nil || tcp == udp { return tcp ?? udp.map { "udp: \($0)" } ?? "" }
    return [tcp, udp.map { "udp: \($0)" }].compactMap(\.self).joined(separator: ", ")
  }

  private static func word(_ defaults: Runtime.Defaults) -> String {
    switch (defaults.reuseaddr, defaults.reuseport) {
    case (true, true): "both"
    case (true, false): "reuseaddr"
    case (false, true): "reuseport"
    case (false, false): "none"
    }
  }

  private static func binds(_ runtime: Runtime) -> String {
    guard let addresses = (runtime.tcp ?? runtime.udp)?.addresses else { return "as told" }
    return addresses.map { addressText($0) }.joined(separator: " ")
  }
}
