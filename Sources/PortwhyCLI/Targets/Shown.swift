/// What was typed, as an error repeats it: in double quotes.
///
/// A word with an `@` may hold a password, whatever else it looks like; neither it nor a part of it is repeated.
struct Shown: CustomStringConvertible {
  let text: String
  private let isSecret: Bool

  /// A whole word.
  init(_ text: String) { self.init(text, of: text) }

  /// A part of a word.
  init(_ text: some StringProtocol, of word: String) {
    self.text = String(text)
    isSecret = Self.holdsSecret(word)
  }

  private init(_ text: String, isSecret: Bool) {
    self.text = text
    self.isSecret = isSecret
  }

  static func holdsSecret(_ word: String) -> Bool { word.utf8.contains(UInt8(ascii: "@")) }

  var description: String { isSecret ? Self.hidden : "\"\(text)\"" }

  private static let hidden = "\"…@…\""

  /// A part of this.
  func part(_ part: some StringProtocol) -> Shown { Shown(String(part), isSecret: isSecret) }

  /// A part of this, and where it stands.
  func pointing(at part: String) -> String { isSecret || part == text ? description : "\"\(part)\" in \(self)" }

  /// A message of others, whose one quoted part is hidden where it holds an `@`.
  static func hidingSecrets(_ message: String) -> String {
    let quote: Character = "\""
    guard let first = message.firstIndex(of: quote), let last = message.lastIndex(of: quote), first < last,
      holdsSecret(String(message[first...last]))
    else { return message }
    return message[..<first] + hidden + message[message.index(after: last)...]
  }
}
