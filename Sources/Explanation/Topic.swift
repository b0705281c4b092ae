/// A sentence or two of a long text. What it says of Linux is shown by a real socket in the tests.
public struct Statement: Sendable, Hashable, ExpressibleByStringLiteral {
  /// The name under which the tests show it; nil for advice, history, definitions and other systems.
  public var id: String?
  /// The sentence.
  public var text: String

  /// A literal is its own text.
  public init(stringLiteral value: String) {
    id = nil
    text = value
  }

  private init(id: String, text: String) {
    self.id = id
    self.text = text
  }

  /// A statement about Linux.
  static func shown(_ id: String, _ text: String) -> Statement { Statement(id: id, text: text) }
}

/// The long text of a cause or of a matter that several causes share: one entry of `--explain`.
public struct Topic: Sendable, Hashable {
  /// What is typed after `--explain`; for a cause the slug of the report.
  public var slug: String
  /// One line, lower case, without a full stop.
  public var title: String
  /// The short form, of the manual page.
  public var summary: String
  /// What it is.
  public var what: [Statement]
  /// How to recognise it.
  public var signs: [Statement]
  /// What helps.
  public var helps: [Statement]
  /// What does not help, and why people think it does.
  public var inVain: [Statement]
  /// Manual pages, as `tcp(7)`.
  public var references: [String]

  init(
    _ slug: String, _ title: String, summary: String, what: [Statement], signs: [Statement] = [],
    helps: [Statement] = [], inVain: [Statement] = [], references: [String]
  ) {
    self.slug = slug
    self.title = title
    self.summary = summary
    self.what = what
    self.signs = signs
    self.helps = helps
    self.inVain = inVain
    self.references = references
  }

  init(
    _ cause: Cause, _ title: String, summary: String, what: [Statement], signs: [Statement] = [],
    helps: [Statement] = [], inVain: [Statement] = [], references: [String]
  ) {
    self.init(
      cause.rawValue, title, summary: summary, what: what, signs: signs, helps: helps, inVain: inVain,
      references: references)
  }

  /// Everything it says.
  public var statements: [Statement] { what + signs + helps + inVain }

  /// An attempt can have it as its cause.
  public var isCause: Bool { Cause.all.contains { $0.rawValue == slug } }
}

/// Every long text there is.
public enum Catalogue {
  /// The causes in the order of the list, then the other topics.
  public static let topics: [Topic] = portInUseTopics + sharingTopics + beforeThePortTopics + generalTopics

  /// The topic of this name; nil where there is none.
  public static func topic(_ slug: String) -> Topic? { topics.first { $0.slug == slug } }

  /// The topic whose name differs least from what was typed; nil where none is near.
  public static func nearest(to word: String) -> Topic? {
    let typed = Array(word.lowercased().utf8.map { $0 == UInt8(ascii: "_") ? UInt8(ascii: "-") : $0 }.prefix(40))
    let ranked = topics.map { (topic: $0, distance: distance(typed, Array($0.slug.utf8))) }
    let containing = typed.count >= 3 ? topics.first { $0.slug.contains(word.lowercased()) } : nil
    guard let best = ranked.min(by: { $0.distance < $1.distance }) else { return nil }
    if best.distance <= max(2, typed.count / 3) { return best.topic }
    return containing
  }

  /// The number of insertions, deletions and changes between two words.
  private static func distance(_ first: [UInt8], _ second: [UInt8]) -> Int {
    var row = Array(0...second.count)
    for (index, byte) in first.enumerated() {
      var diagonal = row[0]
      row[0] = index + 1
      for (column, other) in second.enumerated() {
        let changed = diagonal + (byte == other ? 0 : 1)
        diagonal = row[column + 1]
        row[column + 1] = min(changed, row[column] + 1, row[column + 1] + 1)
      }
    }
    return row[second.count]
  }
}
