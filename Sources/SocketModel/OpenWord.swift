/// A word of the report: one that this version knows, or one of another version, kept as it stands.
public enum OpenWord<Known: RawRepresentable<String> & Hashable & Sendable>: RawRepresentable, Sendable, Hashable {
  case known(Known)
  case other(String)

  public init(rawValue: String) { self = Known(rawValue: rawValue).map(OpenWord.known) ?? .other(rawValue) }

  public var rawValue: String {
    switch self {
    case .known(let word): word.rawValue
    case .other(let word): word
    }
  }

  /// nil for a word of another version.
  public var known: Known? {
    if case .known(let word) = self { word } else { nil }
  }
}
