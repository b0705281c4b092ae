import BindRules
package import SocketModel

/// A remark that belongs to an attempt or a port but does not decide it.
public struct Note: Sendable, Hashable {
  /// The word of the report, `kind` in it.
  package var word: OpenWord<Kind>
  /// What it says: one sentence in lower case.
  public var text: String

  /// A note as a report has it.
  package init(word: OpenWord<Kind>, text: String) {
    self.word = word
    self.text = text
  }

  /// A note of a known kind.
  package init(kind: Kind, text: String) { self.init(word: .known(kind), text: text) }

  /// What it is about; nil for a kind of a newer version.
  public var kind: Kind? { word.known }
}

/// Something the reader of the answer can do. It is printed, never carried out.
public struct Suggestion: Sendable, Hashable {
  /// How sure it is that it helps.
  package enum Certainty: Sendable, Hashable {
    /// The rules, run on the changed situation, say that it works.
    case checked
    /// It works if this holds.
    case conditional(OpenWord<Condition>)

    package static func when(_ condition: Condition) -> Certainty { .conditional(.known(condition)) }
  }

  package var word: OpenWord<Kind>
  /// The socket option it is about; nil for none.
  package var optionWord: OpenWord<Option>?
  package var certainty: Certainty
  /// What to do, lower case, without a full stop.
  public var text: String
  /// What does it; nil where no one command does.
  public var command: Command?

  /// A suggestion as a report has it.
  package init(
    word: OpenWord<Kind>, option: OpenWord<Option>?, certainty: Certainty, text: String, command: Command?
  ) {
    self.word = word
    self.optionWord = option
    self.certainty = certainty
    self.text = text
    self.command = command
  }

  /// A suggestion of a known kind.
  package init(
    kind: Kind, option: Option? = nil, certainty: Certainty, text: String, command: Command? = nil
  ) {
    self.init(
      word: .known(kind), option: option.map(OpenWord.known), certainty: certainty, text: text, command: command)
  }

  /// What is to be done; nil for a kind of a newer version.
  public var kind: Kind? { word.known }
  /// Whether the rules, run on the changed situation, say that it works; else it works under a condition, said in `text`.
  public var isChecked: Bool { certainty == .checked }
  /// nil for no option, and for one that this version does not know.
  package var option: Option? { optionWord?.known }
}

/// What stands behind the outcomes of one attempt, as data; the renderers turn it into a screen or JSON.
public struct Diagnosis: Sendable, Hashable {
  /// Who has the port, or what keeps it from being bound: one line, the users by number.
  package var headline: String
  /// The cause as the report names it; nil where nothing fails or surprises.
  package var causeWord: OpenWord<Cause>?
  /// The reason where the headline does not say it, in a sentence or two; lower case.
  public var why: [String]
  /// Who gets the traffic where the planned socket shares its port.
  public var deliveries: [Delivery]
  /// Remarks that do not decide it.
  public var notes: [Note]
  /// Best first.
  public var suggestions: [Suggestion]

  /// Without arguments it says nothing.
  package init(
    headline: String = "", cause: Cause? = nil, why: [String] = [], deliveries: [Delivery] = [], notes: [Note] = [],
    suggestions: [Suggestion] = []
  ) {
    self.headline = headline
    self.causeWord = cause.map(OpenWord.known)
    self.why = why
    self.deliveries = deliveries
    self.notes = notes
    self.suggestions = suggestions
  }

  /// nil where nothing fails or surprises, and for a cause that this version does not know.
  public var cause: Cause? { causeWord?.known }
}

/// The cause of what the planned bind would meet, the reason in words, and what can be done.
package func explain(_ situation: Situation) -> Diagnosis {
  guard let outcome = situation.outcome(situation.planned) else { return Diagnosis() }
  let deliveries = deliveries(situation, outcome)
  let cause = primaryCause(situation, outcome, deliveries)
  return Diagnosis(
    headline: Headline(situation.attempt.port, situation.attempt.transport, [situation]).first,
    cause: cause, why: why(situation, outcome, cause), deliveries: deliveries,
    notes: notes(situation, outcome: outcome) + ownershipNotes(situation) + holderRemarks(situation)
      + runtimeNotes(situation),
    suggestions: suggestions(situation, outcome, cause))
}
