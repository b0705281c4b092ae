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

private func pad(_ text: String, _ width: Int) -> String {
  String(repeating: " ", count: max(0, width - text.count)) + text
}

/// A share with two decimals; `-` of nothing.
private func percent(_ part: Int, _ whole: Int) -> String {
  guard whole > 0 else { return "-" }
  let hundredths = (part * 20_000 + whole) / (2 * whole)
  return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100)%"
}
