import BindRules
import KernelLab
import PortwhyKit
import SocketModel
import Testing

/// One row of a table: sockets, bound in this order, a bind beside them, and what it answers without options, with
/// SO_REUSEADDR, with SO_REUSEPORT and with both.
struct TableRow: Sendable, CustomTestStringConvertible {
  var holders: [String]
  var attempt: String
  var expected: String

  init(_ holders: [String], _ attempt: String, _ expected: String) {
    self.holders = holders
    self.attempt = attempt
    self.expected = expected
  }

  var testDescription: String { "\(holders) => \(attempt)" }

  var scenario: Scenario { Scenario(holders.map(holder), KernelConformanceTests.attempt(attempt)) }
}

/// The facts that one public test keeps, in this project's own rows.
struct PublicTable: Sendable, CustomTestStringConvertible {
  /// The test's name where it is published.
  var name: String
  var rows: [TableRow]

  var testDescription: String { name }
}

/// What a table came to: a line for each row that the kernel or the rules answer in another way.
private func differences(_ table: PublicTable) throws -> [String] {
  try NetworkNamespace.run { (namespace: inout NetworkNamespace) in
    var differences: [String] = []
    for row in table.rows {
      let copy = try namespace.build(row.scenario)
      guard copy.outcomes.allSatisfy(\.isBuilt) else {
        differences.append("\(row.testDescription): \(copy.outcomes)")
        continue
      }
      let attempt = row.scenario.attempt.bindAttempt(port: copy.port, interfaces: namespace.interfaces)
      let predicted = try Portwhy.judge(attempt).outcomes.map { word($0) }
      let actual = try namespace.trials(row.scenario).map { word($0.result) }
      let expected = row.expected.split(separator: " ").map(String.init)
      if actual != expected { differences.append("\(row.testDescription): kernel \(actual), not \(expected)") }
      // A SO_REUSEPORT bind that meets a conflict depends on the order of earlier binds: the rules may say so.
      let agrees = zip(predicted, expected).allSatisfy { $0 == $1 || $0 == "?" }
      let isSure = predicted.first != "?" || row.attempt.hasPrefix("udp")
      if !agrees || !isSure { differences.append("\(row.testDescription): rules \(predicted), not \(expected)") }
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
    #expect(try differences(table) == [])
    #expect(!table.rows.isEmpty)
  }

  @Test("are not lost: every published test has its table")
  func complete() {
    #expect(publicTables.map(\.name).sorted() == Set(publicTables.map(\.name)).sorted())
    #expect(publicTables.count == 14)
  }
}
