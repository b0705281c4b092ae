internal import SocketModel

/// A sentence or two of a long text. What it says of Linux is shown by a real socket in the tests, what it says of another
/// system by the rules of that one.
package struct Statement: Sendable, Hashable, ExpressibleByStringLiteral {
  /// The name under which the tests show it; nil for advice, history and definitions.
  package var id: String?
  /// The sentence.
  package var text: String

  /// A literal is its own text.
  package init(stringLiteral value: String) {
    id = nil
    text = value
  }

  private init(id: String, text: String) {
    self.id = id
    self.text = text
  }

  /// A statement about Linux, or another system.
  static func shown(_ id: String, _ text: String) -> Statement { Statement(id: id, text: text) }
}

/// The parts of a long text.
package struct TopicText: Sendable, Hashable {
  /// One line, lower case, without a full stop.
  package var title: String
  /// The short form, of the manual page.
  package var summary: String
  /// What it is.
  package var what: [Statement]
  /// How to recognise it.
  package var signs: [Statement]
  /// What helps.
  package var helps: [Statement]
  /// What does not help, and why people think it does.
  package var ineffective: [Statement]
  /// Manual pages, as `tcp(7)`.
  package var references: [String]

  /// The paragraphs, each with its heading: none for the first.
  package var sections: [(heading: String, statements: [Statement])] {
    [
      ("", what), ("how to recognise it", signs), ("what helps", helps), ("what does not help", ineffective),
      ("see also", [Statement(stringLiteral: references.joined(separator: ", "))]),
    ].filter { !$0.1.isEmpty }
  }

  /// Everything it says.
  package var statements: [Statement] { what + signs + helps + ineffective }
}

/// One entry of `--explain`: the long text of a cause, or of a matter that several causes share.
@dynamicMemberLookup
package struct Topic: Sendable, Hashable {
  /// What is typed after `--explain`; for a cause the word of the report.
  package var slug: String
  /// nil for a matter that several causes share.
  package var cause: Cause?
  /// What it says.
  package var text: TopicText

  init(_ cause: Cause, _ text: TopicText) {
    (slug, self.cause, self.text) = (cause.rawValue, cause, text)
  }

  init(
    _ slug: String, _ title: String, summary: String, what: [Statement], signs: [Statement] = [],
    helps: [Statement] = [], ineffective: [Statement] = [], references: [String]
  ) {
    self.slug = slug
    text = TopicText(
      title: title, summary: summary, what: what, signs: signs, helps: helps, ineffective: ineffective,
      references: references)
  }

  /// A part of the text.
  package subscript<Part>(dynamicMember part: KeyPath<TopicText, Part>) -> Part { text[keyPath: part] }

  /// An attempt can have it as its cause.
  package var isCause: Bool { cause != nil }
}

/// Every long text there is.
package enum Catalogue {
  /// The causes in the order of the list, then the other topics.
  package static let topics: [Topic] = Cause.allCases.map(\.topic) + generalTopics + foreignTopics

  /// What their list ends with.
  package static let hint = "portwhy --explain TOPIC tells more."

  /// The topic of this name; nil where there is none.
  package static func topic(_ slug: String) -> Topic? { topics.first { $0.slug == slug } }

  /// The topic whose name differs least from what was typed; nil where none is near.
  package static func nearest(to word: String) -> Topic? {
    let typed = Array(word.lowercased().utf8.map { $0 == UInt8(ascii: "_") ? UInt8(ascii: "-") : $0 }.prefix(40))
    let ranked = topics.map { (topic: $0, distance: editDistance(typed, Array($0.slug.utf8))) }
    let containing = typed.count >= 3 ? topics.first { $0.slug[...].place(of: word.lowercased()) != nil } : nil
    guard let best = ranked.min(by: { $0.distance < $1.distance }) else { return nil }
    if best.distance <= max(2, typed.count / 3) { return best.topic }
    return containing
  }
}
