/// A word of the report: one that this version knows, or one of another version, kept as it stands.
package enum OpenWord<Known: RawRepresentable<String> & Hashable & Sendable>: RawRepresentable, Sendable, Hashable {
  /// A word that this version knows.
  case known(Known)
  /// Another version's; never one that this version knows.
  case other(String)

  /// Reads any word, known or not.
  package init(rawValue: String) { self = Known(rawValue: rawValue).map(OpenWord.known) ?? .other(rawValue) }

  /// The word as it stands in the report.
  package var rawValue: String {
    switch self {
    case .known(let word): word.rawValue
    case .other(let word): word
    }
  }

  /// nil for a word of another version.
  package var known: Known? {
    if case .known(let word) = self { word } else { nil }
  }
}
