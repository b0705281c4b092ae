import Glibc

/// The medians as a drawing (SVG): how long each command takes beside `ss -tanp`, on a logarithmic scale, with the limits.
///
/// It has its own colours for a dark page, and no script and no font of its own.
func chartText(_ results: [LoadResult]) -> String {
  var drawing = Drawing()
  for result in results {
    drawing.head(result.load.description)
    for subject in Subject.allCases {
      let commands = Command.all.filter { $0.subject == subject && $0.tool.isCharted }
      let rows = commands.compactMap { command in
        result.ratio(command.tool, to: .ssWithOwners, subject).map { (command, $0) }
      }
      guard !rows.isEmpty else { continue }
      drawing.subhead(subject.rawValue)
      for (command, ratio) in rows {
        let budget = WallBudget.all.first {
          $0.load.name == result.load.name && $0.tool == command.tool && $0.subject == subject
        }
        drawing.row(command, ratio, limit: budget?.limit)
      }
    }
  }
  return drawing.text
}

extension Tool {
  /// ss without owners answers another question.
  fileprivate var isCharted: Bool { ![.ssWithOwners, .ss].contains(self) }
}

/// The rows from top to bottom, and what is around them.
private struct Drawing {
  private var body: [String] = []
  private var height = 56

  private static let width = 760
  /// Where the scale is, and what it goes from and to.
  private static let scale = (left: 250.0, right: 690.0, least: 0.02, most: 5.0)

  mutating func head(_ words: String) {
    height += 30
    add("text", "x=\"12\" y=\"\(height)\" class=\"head\"", words)
    height += 6
  }

  mutating func subhead(_ words: String) {
    height += 20
    add("text", "x=\"24\" y=\"\(height)\" class=\"quiet\"", words)
  }

  mutating func row(_ command: Command, _ ratio: Double, limit: Double?) {
    height += 19
    let (start, end, line) = (Self.place(1), Self.place(ratio), height - 4)
    let kind = command.tool.isPortwhy ? "own" : "other"
    add("text", "x=\"36\" y=\"\(height)\"", command.text)
    let (x, length) = (tenths(min(start, end)), tenths(abs(end - start)))
    add("rect", "x=\"\(x)\" y=\"\(line - 5)\" width=\"\(length)\" height=\"10\" class=\"\(kind)\"")
    if let limit {
      let place = tenths(Self.place(limit))
      add("path", "d=\"M\(place) \(line - 8)v16\" class=\"limit\"")
    }
    let isLeft = ratio < 1
    // On the side away from the line of ss, and beyond the limit's mark.
    let edge = limit.map { isLeft ? min(end, Self.place($0)) : max(end, Self.place($0)) } ?? end
    let side = isLeft ? "x=\"\(tenths(edge - 5))\" text-anchor=\"end\"" : "x=\"\(tenths(edge + 5))\""
    add("text", "\(side) y=\"\(height)\" class=\"figure\"", decimal(ratio, ratio < 0.1 ? 3 : 2))
  }

  private mutating func add(_ element: String, _ attributes: String, _ words: String? = nil) {
    let start = "<\(element) \(attributes)"
    body.append(words.map { "\(start)>\(escaped($0))</\(element)>" } ?? "\(start)/>")
  }

  private static func place(_ ratio: Double) -> Double {
    let bounded = min(max(ratio, scale.least), scale.most)
    return scale.left + (scale.right - scale.left) * log(bounded / scale.least) / log(scale.most / scale.least)
  }

  var text: String {
    let bottom = height + 14
    var lines = [
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \(Self.width) \(bottom + 8)\" role=\"img\" "
        + "aria-label=\"How long portwhy, lsof and fuser take, as parts of the time that ss -tanp takes\">",
      "<style>text{font:12px ui-monospace,monospace;fill:#1f2328}.head{font-weight:bold}.quiet,.axis{fill:#59636e}",
      ".own{fill:#1a7f37}.other{fill:#8c959f}.limit{stroke:#cf222e;stroke-width:2;fill:none}",
      ".grid{stroke:#d1d9e0;fill:none}.ss{stroke:#59636e;stroke-width:1.5;fill:none}",
      "@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.quiet,.axis{fill:#9198a1}.own{fill:#3fb950}",
      ".other{fill:#656c76}.limit{stroke:#f85149}.grid{stroke:#3d444d}.ss{stroke:#9198a1}}</style>",
      "<text x=\"12\" y=\"20\" class=\"head\">time, as a part of what ss -tanp takes for the same port</text>",
      "<text x=\"12\" y=\"38\" class=\"quiet\">logarithmic; less is faster; red: the limit that portwhy has</text>",
    ]
    for mark in [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5] {
      let place = tenths(Self.place(mark))
      lines.append("<path d=\"M\(place) 62V\(bottom)\" class=\"\(mark == 1 ? "ss" : "grid")\"/>")
      let words = mark == 1 ? "ss" : decimal(mark, mark < 0.1 ? 2 : mark < 1 ? 1 : 0)
      lines.append("<text x=\"\(place)\" y=\"57\" text-anchor=\"middle\" class=\"axis\">\(words)</text>")
    }
    return (lines + body + ["</svg>"]).joined(separator: "\n") + "\n"
  }
}

private func tenths(_ value: Double) -> String { decimal(value, 1) }

private func escaped(_ words: String) -> String {
  words.map { $0 == "&" ? "&amp;" : $0 == "<" ? "&lt;" : $0 == ">" ? "&gt;" : String($0) }.joined()
}
