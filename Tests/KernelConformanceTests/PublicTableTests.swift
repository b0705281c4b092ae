import BindRules
import KernelLab
import Answers
import SocketModel
import Testing

/// One row of a table: sockets, bound in this order, a bind beside them, and what it answers.
struct TableRow: Sendable {
  var text: String
  var holders: [String] = []
  var attempt = ""
  /// Without options, with SO_REUSEADDR, with SO_REUSEPORT, with both; empty for a row that cannot be read.
  var expected: [String] = []

  /// - Parameter prefix: stands before each socket.
  init(_ text: String, prefix: String = "") {
    self.text = prefix + text
    let words = text.split(separator: " ").map(String.init)
    guard let arrow = words.firstIndex(of: "=>"), words.count > arrow + 2, words[words.count - 2] == ":" else {
      return
    }
    let sockets = words[..<arrow].joined(separator: " ").split(separator: ";").map { prefix + $0 }
    holders = sockets.flatMap { socket -> [String] in
      let parts = socket.split(separator: "*", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      return parts.count == 2 ? (1...20).map { "\(parts[0])\($0)\(parts[1])" } : parts
    }
    attempt = prefix + words[(arrow + 1)..<(words.count - 2)].joined(separator: " ")
    expected = answers[words[words.count - 1]] ?? []
  }

  var scenario: Scenario { Scenario(holders.map(holder), KernelConformanceTests.attempt(attempt)) }
}

/// The facts that one public test keeps, in this project's own rows.
struct PublicTable: Sendable, CustomTestStringConvertible {
  /// The test's name where it is published.
  var name: String
  var rows: [TableRow]

  init(_ name: String, _ rows: [TableRow]...) {
    self.name = name
    self.rows = rows.flatMap { $0 }
  }

  var testDescription: String { name }
}

/// What a table came to: a line for each row that the kernel or the rules answer in another way.
private func differences(_ table: PublicTable) throws -> [String] {
  try NetworkNamespace.run { (namespace: inout NetworkNamespace) in
    var differences: [String] = []
    for row in table.rows {
      let copy = try namespace.build(row.scenario)
      guard copy.outcomes.allSatisfy(\.isBuilt) else {
        differences.append("\(row.text): \(copy.outcomes)")
        continue
      }
      let attempt = row.scenario.attempt.bindAttempt(port: copy.port, interfaces: namespace.interfaces)
      let predicted = try Portwhy.judge(attempt).outcomes.map { word($0) }
      let actual = try namespace.trials(row.scenario).map { word($0.result) }
      if actual != row.expected { differences.append("\(row.text): kernel \(actual), not \(row.expected)") }
      // A SO_REUSEPORT bind that meets a conflict depends on the order of earlier binds: the rules may say so.
      let agrees = zip(predicted, row.expected).allSatisfy { $0 == $1 || $0 == "?" }
      let isSure = predicted.first != "?" || row.attempt.hasPrefix("udp")
      if !agrees || !isSure { differences.append("\(row.text): rules \(predicted), not \(row.expected)") }
    }
    return differences
  }
}

@Suite(
  "The facts of public tests, on the rules and on the kernel",
  .enabled(if: kernelTestsRun, "needs CAP_SYS_ADMIN for a network namespace"))
struct PublicTableTests {
  @Test("hold for both", arguments: publicTables)
  func table(_ table: PublicTable) throws {
    let found = try differences(table)
    #expect(found == [])
    #expect(!table.rows.isEmpty)
  }

  @Test("are not lost: every published test has its table")
  func complete() {
    #expect(Set(publicTables.map(\.name)).count == 14)
    #expect(publicTables.allSatisfy { !$0.rows.isEmpty && $0.rows.allSatisfy { $0.expected.count == 4 } })
  }
}
