/// The options of a command line, by sections as --help and the manual page show them.
struct OptionTable: Sendable {
  let sections: [OptionSection]
  /// All rows, in order.
  let rows: [OptionRow]

  init(sections: [OptionSection]) {
    self.sections = sections
    rows = sections.flatMap(\.rows)
  }

  /// The options of portwhy. A new one is a case of `Option` and a row here; `make generate` then writes the rest.
  static let portwhy = OptionTable(sections: [.plan, .looking, .pace, .output])

  /// Both ways: what a row excludes, excludes it.
  func excluded(by row: OptionRow) -> [OptionRow] {
    rows.filter { row.excludes.contains($0.option) || $0.excludes.contains(row.option) }
  }
}

/// Some options under one title.
struct OptionSection: Sendable {
  /// As the manual page writes it.
  let title: String
  let rows: [OptionRow]
}
