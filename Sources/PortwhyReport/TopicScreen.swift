package import Explanation
internal import SocketModel

/// The long texts of `--explain`, wrapped to the terminal.
package enum TopicScreen {
  /// One topic: its title, then a paragraph for each question it answers.
  package static func render(_ topic: Topic, style: ScreenStyle) -> String {
    let heading = TerminalText.wrapped(
      TerminalText.words("\(topic.slug): \(topic.title)"), columns: style.width - 2
    ).enumerated().map { style.paint(($0.offset == 0 ? "" : "  ") + $0.element, .bold) }
    var lines = heading
    for (title, statements) in topic.sections {
      lines.append("")
      if !title.isEmpty { lines.append(style.paint(title, .bold)) }
      for statement in statements { lines += item(statement.text, style) }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// Every topic with its title, the causes of the report first.
  package static func renderList(style: ScreenStyle) -> String {
    let width = Catalogue.topics.map(\.slug.utf8.count).max() ?? 0
    var lines = [style.paint("causes", .bold)] + list(Catalogue.topics.filter(\.isCause), width, style)
    lines += ["", style.paint("topics", .bold)] + list(Catalogue.topics.filter { !$0.isCause }, width, style)
    return (lines + ["", Catalogue.hint]).joined(separator: "\n") + "\n"
  }

  private static func list(_ topics: [Topic], _ width: Int, _ style: ScreenStyle) -> [String] {
    topics.flatMap { topic in
      TerminalText.wrapped(TerminalText.words(topic.title), columns: style.width - width - 4)
        .enumerated().map {
          "  " + TerminalText.padded($0.offset == 0 ? topic.slug : "", to: width) + "  " + $0.element
        }
    }
  }

  private static func item(_ text: String, _ style: ScreenStyle) -> [String] {
    TerminalText.wrapped(TerminalText.words(text), columns: style.width - 4)
      .enumerated().map { ($0.offset == 0 ? "  " : "    ") + $0.element }
  }
}

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
