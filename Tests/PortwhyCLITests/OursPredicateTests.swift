import Linux
import Answers
import Testing

@testable import PortwhyCLI

private func invocation(_ words: String, files: [String: FileText] = [:]) throws -> Invocation {
  var lookup = Invocation.Lookup(services: { ServiceTable(parsing: "") }, uid: { ["alice": 1000][$0] })
  lookup.file = { files[$0] ?? .absent }
  return try Invocation(
    try GivenOptions(words.split(separator: " ").map(String.init)), lookup: lookup)
}

private func ours(_ words: String, files: [String: FileText] = [:]) throws -> [OursPredicate] {
  switch try invocation(words, files: files).task {
  case .answer(let question): question.ours
  case .saved(_, let question): question.ours
  default: []
  }
}

@Suite("--ours")
struct OursPredicateTests {
  @Test("takes each kind, and adds up")
  func kinds() throws {
    let words =
      "--ours unit=nginx --ours=unit=a.socket --ours user=alice --ours user=7 --ours container=web"
      + " --ours exe=/usr/sbin/nginx --ours cwd=/srv/ --ours pid=12 --ours exe=/a=b 80"
    #expect(
      try ours(words) == [
        .unit("nginx.service"), .unit("a.socket"), .user("alice", uid: 1000), .user("7", uid: 7), .container("web"),
        .executable("/usr/sbin/nginx"), .workingDirectory("/srv"), .process(12), .executable("/a=b"),
      ])
    #expect(try ours("--ours cwd=/ 80") == [.workingDirectory("/")])
  }

  @Test("reads a file with a process's number now")
  func pidfile() throws {
    #expect(try ours("--ours pidfile=/p 80", files: ["/p": .text(" 812\n")]) == [.processFile("/p", pid: 812)])
    #expect(
      try ours("--ours pidfile=/p 80", files: ["/p": .text("812\n/var/lib\n")]) == [.processFile("/p", pid: 812)])
    // The server does not run yet.
    #expect(try ours("--ours pidfile=/p 80") == [.processFile("/p", pid: nil)])
    #expect(try ours("--ours pidfile=/p 80", files: ["/p": .text("")]) == [.processFile("/p", pid: nil)])
    for text in [FileText.unreadable, .text("x"), .text("0"), .text("-1"), .text("99999999999")] {
      #expect(throws: UsageError.self) { try ours("--ours pidfile=/p 80", files: ["/p": text]) }
    }
    #expect(throws: UsageError(#"--ours "pidfile=/p" is read now, so it says nothing of a saved report"#)) {
      try ours("--from f --ours pidfile=/p")
    }
  }

  @Test("takes a path whose first name begins with a combining mark")
  func combiningMark() throws {
    #expect(try ours("--ours exe=/\u{301}x 80").count == 1)
  }

  @Test("leaves the names of users to the hosts of saved reports")
  func users() throws {
    let predicates = try ours("--from f --ours user=www-data")
    #expect(predicates == [.user("www-data", uid: nil)])
    #expect(predicates[0].resolved([33: "www-data"]) == .user("www-data", uid: 33))
    #expect(predicates[0].resolved([0: "root"]) == .user("www-data", uid: nil))
  }

  @Test(
    "says in one line what is wrong",
    arguments: [
      ("name=x", "is none of unit=, user=, container=, exe=, cwd=, pid= and pidfile="),
      ("unit", "is none of unit=, user=, container=, exe=, cwd=, pid= and pidfile="), ("unit=", "names nothing"),
      ("exe=nginx", "is no full path"), ("cwd=x", "is no full path"), ("pid=0", "is the number of no process"),
      ("pid=x", "is the number of no process"),
    ])
  func wrong(_ word: String, _ problem: String) {
    #expect(throws: UsageError("--ours \"\(word)\" \(problem)")) { try ours("--ours \(word) 80") }
  }

  @Test("knows the user, and says of what the file is one too many")
  func others() {
    #expect(throws: UsageError(#"unknown user "bob""#)) { try ours("--ours user=bob 80") }
    #expect(throws: UsageError("--ours needs a TARGET")) { try ours("--ours pid=1") }
    let hint = "; --from takes one file: repeat it, or give a directory"
    #expect(throws: UsageError("unexpected argument \"c.json\"" + hint)) {
      try invocation("--from a.json b.json c.json")
    }
    #expect { try invocation("--from a.json b.json") } throws: {
      ($0 as? UsageError)?.message.hasSuffix(hint) == true
    }
  }

  @Test("is looked into even where nothing is printed")
  func quiet() throws {
    guard case .answer(let question) = try invocation("-q --ours pid=1 80").task else { throw UsageError("") }
    #expect(!question.isVerdictOnly)
  }
}
