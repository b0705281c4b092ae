import BindRules
import FixtureTestSupport
import KernelLab
import Explanation
import PortwhyReport
import Testing

private let checks = bindStatements.merging(optionStatements) { first, _ in first }
  .merging(trafficStatements) { first, _ in first }.merging(foreignStatements) { first, _ in first }

private let statements = Set(Catalogue.topics.flatMap(\.statements).compactMap(\.id)).sorted()

@Suite("The long texts")
struct StatementTests {
  @Test("what they say of Linux is what real sockets do", .enabled(if: kernelTestsRun), arguments: statements)
  func isTrue(_ statement: String) throws {
    let check = try #require(checks[statement], "nothing shows \(statement)")
    let holds = try NetworkNamespace.run { (lab: inout NetworkNamespace) in try check(&lab) }
    #expect(holds)
  }

  @Test("no check is left without a sentence")
  func isUsed() {
    #expect(Set(checks.keys).subtracting(statements) == [])
  }

  @Test("there is one for each cause, and each has a name of its own")
  func complete() {
    let slugs = Catalogue.topics.map(\.slug)
    #expect(Set(slugs).count == slugs.count)
    #expect(Cause.allCases.filter { Catalogue.topic($0.rawValue) == nil } == [])
    #expect(Set(Cause.allCases).count == Cause.allCases.count)
  }

  @Test("each says what it is, how to recognise it and where to read more", arguments: Catalogue.topics)
  func sections(_ topic: Topic) {
    #expect(!topic.what.isEmpty && !topic.references.isEmpty && !topic.summary.isEmpty)
    #expect(!topic.isCause || (!topic.signs.isEmpty && !topic.helps.isEmpty))
    #expect(topic.title.count <= 60 && topic.summary.count <= 120)
  }

  @Test("no sentence comes or goes unseen")
  func golden() {
    let style = ScreenStyle(width: 100, users: [:])
    GoldenFile.check(
      Catalogue.topics.map { TopicScreen.render($0, style: style) }.joined(separator: "\n"), "topics.txt")
  }

  @Test("a misspelt name leads to the nearest one")
  func nearest() {
    #expect(Catalogue.nearest(to: "timewait")?.slug == "time-wait")
    #expect(Catalogue.nearest(to: "TIME_WAIT")?.slug == "time-wait")
    #expect(Catalogue.nearest(to: "so_reuseaddr")?.slug == "so-reuseaddr")
    #expect(Catalogue.nearest(to: "lisener")?.slug == "listener")
    #expect(Catalogue.nearest(to: "8080") == nil)
    #expect(Catalogue.nearest(to: "") == nil)
  }
}
