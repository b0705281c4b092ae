/// Why an attempt ends as it does, as a stable slug of the report (`cause`).
public struct Cause: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
  /// The slug, such as `time-wait`.
  public let rawValue: String
  /// Takes any value, known or not.
  public init(rawValue: String) { self.rawValue = rawValue }
  /// As text, for messages and tests.
  public var description: String { rawValue }
}

/// A remark that belongs to an attempt but does not decide it.
public struct Note: Sendable, Hashable {
  /// A stable slug.
  public var kind: String
  /// One sentence, lower case, without a full stop.
  public var text: String

  /// One with these parts, each as its property says.
  public init(kind: String, text: String) {
    self.kind = kind
    self.text = text
  }
}

/// Something the reader of the answer can do. It is printed, never carried out.
public struct Suggestion: Sendable, Hashable {
  /// How sure it is that it helps.
  public enum Certainty: Sendable, Hashable {
    /// The rules, run on the changed situation, say that it works.
    case checked
    /// It works if this holds.
    case conditional(String)
  }

  /// A stable slug such as `set-option`, `stop-holder`, `wait`, `look-as-root`.
  public var kind: String
  /// The socket option it is about, as the man page spells it; nil for none.
  public var option: String?
  /// How sure it is that it helps.
  public var certainty: Certainty
  /// What to do, lower case, without a full stop.
  public var text: String
  /// A command line that does it; nil where there is none.
  public var command: String?

  /// One with these parts, each as its property says.
  public init(kind: String, option: String? = nil, certainty: Certainty, text: String, command: String? = nil) {
    self.kind = kind
    self.option = option
    self.certainty = certainty
    self.text = text
    self.command = command
  }
}

/// What stands behind the outcomes of one attempt, as data; the renderers turn it into a screen or JSON.
public struct Explanation: Sendable, Hashable {
  /// nil where nothing fails or surprises.
  public var cause: Cause?
  /// The reason in at most three sentences, evidence included; lower case.
  public var why: [String]
  /// Who gets the traffic where the planned socket shares its port.
  public var receives: [Receipt]
  /// Remarks that do not decide it.
  public var notes: [Note]
  /// Best first.
  public var suggestions: [Suggestion]

  /// One with these parts, each as its property says.
  public init(
    cause: Cause?, why: [String], receives: [Receipt] = [], notes: [Note] = [], suggestions: [Suggestion] = []
  ) {
    self.cause = cause
    self.why = why
    self.receives = receives
    self.notes = notes
    self.suggestions = suggestions
  }
}
