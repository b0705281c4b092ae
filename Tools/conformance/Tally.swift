/// How predictions compared with the kernel.
struct Tally {
  var exact = 0
  var undetermined = 0
  var wrong = 0

  var total: Int { exact + undetermined + wrong }

  static func + (left: Tally, right: Tally) -> Tally {
    Tally(
      exact: left.exact + right.exact, undetermined: left.undetermined + right.undetermined,
      wrong: left.wrong + right.wrong)
  }

  /// One row of the table: outcomes, share of all, exact, undetermined, wrong.
  func row(_ name: String, of all: Int) -> String {
    let columns = [
      pad(String(total), 9), pad(percent(total, all), 8), pad(percent(exact, total), 9),
      pad(percent(undetermined, total), 14), pad(String(wrong), 7),
    ]
    return name + String(repeating: " ", count: max(1, Self.nameWidth - name.count)) + columns.joined()
  }

  private static let nameWidth = 44

  static func header(_ name: String) -> String {
    name + String(repeating: " ", count: max(1, nameWidth - name.count))
      + " outcomes   share    exact  undetermined  wrong"
  }
}

/// How often the likely outcome of an undetermined one is what happens.
struct LikelyTally {
  var right = 0
  var wrong = 0
  /// Without ground for a guess.
  var none = 0

  var total: Int { right + wrong + none }

  mutating func add(_ isRight: Bool?) {
    switch isRight {
    case true?: right += 1
    case false?: wrong += 1
    case nil: none += 1
    }
  }

  static func + (left: LikelyTally, right: LikelyTally) -> LikelyTally {
    LikelyTally(right: left.right + right.right, wrong: left.wrong + right.wrong, none: left.none + right.none)
  }

  static let header = "likely, where this is missing                   outcomes    guess    right  wrong"

  func row(_ name: String) -> String {
    let columns = [
      pad(String(total), 9), pad(percent(right + wrong, total), 9), pad(percent(right, right + wrong), 9),
      pad(String(wrong), 7),
    ]
    return name + String(repeating: " ", count: max(1, 47 - name.count)) + columns.joined()
  }
}

private func pad(_ text: String, _ width: Int) -> String {
  String(repeating: " ", count: max(0, width - text.count)) + text
}

/// A share with two decimals; `-` of nothing.
private func percent(_ part: Int, _ whole: Int) -> String {
  guard whole > 0 else { return "-" }
  let hundredths = (part * 20_000 + whole) / (2 * whole)
  return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100)%"
}
