import Explanation
import BindRules
import Answers
import SocketModel
import Testing

@testable import PortwhyCLI

private var lookup: Invocation.Lookup {
  Invocation.Lookup(services: { services }, uid: { ["alice": 1000, "root": 0][$0] })
}

private func invocation(_ words: String) throws -> Invocation {
  try Invocation(GivenOptions(words.split(separator: " ").map(String.init)), lookup: lookup)
}

private func question(_ words: String) throws -> Question {
  guard case .answer(let question) = try invocation(words).task else { throw UsageError("no question") }
  return question
}

@Suite("The command line")
struct InvocationTests {
  @Test("carries the plan")
  func plan() throws {
    let question = try question("--reuseaddr --reuseport --no-v6only --device eth0 --uid alice -u6 5353")
    #expect(question.options == [.reuseaddr, .reuseport])
    #expect(question.v6only == false)
    #expect(question.device == "eth0")
    #expect(question.uid == 1000)
    #expect(question.families == [.ipv6])
    #expect(question.items == [QuestionItem(addresses: [.wildcard], ports: 5353...5353, transport: .udp)])
    let plain = try PortwhyCLITests.question("8080")
    #expect(plain.options == [] && plain.v6only == nil && plain.uid == nil && plain.families == nil)
  }

  @Test("names a network namespace by process, name or path, with and without TARGET")
  func namespace() throws {
    #expect(try question("--netns 812 80").namespace == .process(812))
    #expect(try question("--netns blue 80").namespace == .name("blue"))
    #expect(try question("--netns /proc/1/ns/net 80").namespace == .path("/proc/1/ns/net"))
    #expect(try question("--netns 99999999999x 80").namespace == .name("99999999999x"))
    #expect(try invocation("--netns blue").task == .overview([.tcp, .udp], in: .name("blue")))
  }

  @Test("probes only if asked to")
  func probe() throws {
    #expect(try question("--probe 80").probes && !question("80").probes)
  }

  @Test("takes the last of a repeated option")
  func lastWins() throws {
    #expect(try question("--v6only --no-v6only 80").v6only == false)
    #expect(try question("--no-v6only --v6only 80").v6only == true)
    #expect(try question("--uid 1 --uid 2 80").uid == 2)
    #expect(try question("--device a --device b 80").device == "b")
    #expect(try invocation("--color always --color never 80").color == .never)
    #expect(try question("-t -t 80").items.count == 1)
  }

  @Test("takes bundled short options, and TARGET anywhere")
  func bundled() throws {
    #expect(try question("-tu4 80").items.map(\.transport) == [.tcp, .udp])
    #expect(try invocation("80 -nv").verbose)
    #expect(try question("--uid=0 80").uid == 0)
  }

  @Test("without TARGET asks for the overview")
  func overview() throws {
    #expect(try invocation("").task == .overview([.tcp, .udp], in: nil))
    #expect(try invocation("-u --json").task == .overview([.udp], in: nil))
  }

  @Test("asks for help or version whatever else is right")
  func help() throws {
    for words in ["-h", "--help", "--help -q -v", "80x --help"] { #expect(try invocation(words).task == .help) }
    #expect(try invocation("--version 80").task == .version)
  }

  @Test(
    "that is wrong gives one line that names what was typed",
    arguments: [
      ("--bogus", "\"--bogus\""), ("-x 80", "\"-x\""), ("--uid", "--uid"), ("80 81", "\"81\""),
      ("80 -- 81", "\"80\""),
      ("-q -v 80", "-q and -v"), ("--color purple 80", "\"purple\""), ("--uid nobodyx 80", "\"nobodyx\""),
      ("--uid 4294967295 80", "\"4294967295\""), ("--uid 99999999999 80", "\"99999999999\""),
      ("--uid -1 80", "unknown user \"-1\""), ("--wait --timeout -1 80", "--timeout \"-1\" is not in"),
      ("--watch --interval x 80", "--interval \"x\" is not in"), ("--watch --interval", "--interval needs a value"),
      ("--watch --interval --json", "--interval needs a value"),
      ("--device --wait 80", "--device needs a value"), ("--from", "--from needs a value"),
      ("--device averyveryverylongname 80", "\"averyveryverylongname\""), ("--device a/b 80", "\"a/b\""),
      ("--device a:b 80", "\"a:b\""),
      ("--device \u{fffd} 80", "not valid UTF-8"), ("[fe80::1%\u{fffd}]:80", "not valid UTF-8"),
      ("-4 --v6only 80", "--v6only"), ("--v6only 127.0.0.1:80", "--v6only"),
      ("--reuseaddr", "--reuseaddr needs a TARGET"),
      ("-4", "-4 needs"), ("--uid 0", "--uid needs"), ("--no-v6only", "--no-v6only needs"),
      ("--json=yes 80", "--json"), ("--runtime nods 80", "did you mean node?"), ("--runtime node", "--runtime needs"),
      ("--runtime xyzzyplugh 80", "\"xyzzyplugh\""), ("--deep", "--deep needs"),
      ("--generate-completion-script bash", "--generate-completion-script"),
      ("--experimental-dump-help", "--experimental-dump-help"),
      ("-4 [::1]:80", "\"[::1]:80\""), ("--reuse-addr 80", "\"--reuse-addr\""),
    ])
  func wrong(_ words: String, _ part: String) {
    do {
      Issue.record("read as \(try invocation(words))")
    } catch let error as UsageError {
      #expect(error.message.contains(part), "\(error.message)")
      #expect(!error.message.contains("\n") && !error.message.contains("Usage") && !error.message.contains("<"))
    } catch {
      Issue.record("\(error)")
    }
  }

  @Test("plans what a runtime sets for TCP, and what was said besides")
  func runtime() throws {
    let node = try question("--runtime node 80")
    #expect(node.plan.resolved(.tcp).options == .reuseaddr && node.plan.resolved(.udp).options == [])
    #expect(try question("--runtime HAProxy 80").plan.resolved(.tcp).options == [.reuseaddr, .reuseport])
    #expect(try question("--runtime socketserver --reuseport 80").plan.resolved(.tcp).options == .reuseport)
  }

  @Test("takes --v6only where IPv6 is attempted")
  func v6only() throws {
    for words in ["80", "-6 80", "127.0.0.1:80,[::1]:80", "localhost:80", "127.0.0.1:80,81"] {
      #expect(try question("--v6only " + words).v6only == true)
    }
  }
}

@Suite("The exit status")
struct ExitStatusTests {
  private func status(_ verdicts: [CallResult?]) -> Int32 {
    let targets = verdicts.map {
      TargetReport(
        transport: .tcp, port: Port(80), plan: Plan(uid: 0), verdict: $0, sockets: [], attempts: [])
    }
    return ExitStatus(
      Report(
        version: "", capturedAt: 0, host: HostFacts(kernel: KernelVersion(major: 6, minor: 1), uid: 0),
        visibility: Visibility(), targets: targets)
    ).rawValue
  }

  @Test("is 0 where all works, 1 where one fails, 2 where one is open")
  func verdicts() {
    #expect(status([.ok, .ok]) == 0)
    #expect(status([]) == 0)
    #expect(status([nil, nil]) == 0)
    #expect(status([.ok, .undetermined]) == 2)
    #expect(status([.undetermined, .fails(.addressInUse), .ok]) == 1)
  }

  @Test("tells errors apart")
  func errors() {
    #expect(ExitStatus(.kernelInterfaceMissing("")).rawValue == 69)
    #expect(ExitStatus(.internalError("")).rawValue == 70)
    #expect(ExitStatus(.notPermitted("")).rawValue == 77)
    #expect(ExitStatus(.invalidQuestion("")).rawValue == 64)
    #expect(ExitStatus.usage.rawValue == 64)
  }
}

@Suite("--explain")
struct ExplainTests {
  @Test("takes the next word as its topic, and needs none")
  func topic() throws {
    for words in ["--explain time-wait", "--explain=time-wait", "time-wait --explain"] {
      #expect(try invocation(words).task == .explain(Catalogue.topic("time-wait")))
    }
    #expect(try invocation("--explain").task == .explain(nil))
  }

  @Test(
    "says in one line what is wrong, and names the nearest topic",
    arguments: [
      ("--explain timewait", "no topic \"timewait\", did you mean time-wait?"),
      ("--explain 8080", "no topic \"8080\", --explain alone lists them"),
      ("--explain time-wait 8080", "unexpected argument \"8080\""),
      ("--explain --reuseaddr time-wait", "--reuseaddr says nothing beside --explain"),
      ("--explain --json", "--json says nothing beside --explain"),
      ("--explain --wait", "--wait says nothing beside --explain"),
      ("--explain --timeout 5", "--timeout says nothing beside --explain"),
    ])
  func refused(_ words: String, _ message: String) {
    #expect(throws: UsageError(message)) { try invocation(words) }
  }

  @Test("takes no other option but --color, and says which one it does not take")
  func alone() throws {
    #expect(try invocation("--explain --color never time-wait").color == .never)
    for row in OptionTable.portwhy.rows where !["--explain", "--color", "-h", "--version"].contains(row.name) {
      for name in row.names {
        #expect(throws: UsageError("\(row.name) says nothing beside --explain"), "\(name)") {
          try invocation((words(giving: row, name) + ["--explain"]).joined(separator: " "))
        }
      }
    }
  }

  @Test("takes its topic after = and as the operand, but not twice")
  func twice() throws {
    #expect(try invocation("--explain=listener --explain=time-wait").task == .explain(Catalogue.topic("time-wait")))
    #expect(throws: UsageError("unexpected argument \"listener\"")) { try invocation("--explain=time-wait listener") }
    #expect(throws: UsageError("no topic \"\", --explain alone lists them")) { try invocation("--explain=") }
  }
}

@Suite("When and where it looks")
struct PaceTests {
  @Test(
    "is once, until it works, or again and again",
    arguments: [
      ("80", Pace.once), ("--wait 80", .wait(timeout: nil)), ("--wait --timeout 0 80", .wait(timeout: 0)),
      ("--wait --timeout 1.5 80", .wait(timeout: 1500)), ("--wait --timeout 0.0019 80", .wait(timeout: 1)),
      ("--watch", .watch(interval: 1000)), ("--watch --interval 0.1 80", .watch(interval: 100)),
      ("--watch --interval 86400 80", .watch(interval: 86_400_000)),
    ])
  func pace(_ words: String, _ expected: Pace) throws {
    #expect(try invocation(words).pace == expected)
  }

  @Test(
    "cannot be two things at once",
    arguments: [
      "--wait", "--wait --watch 80", "--timeout 3 80", "--interval 3 80", "--from f --wait 80", "--from f --watch",
      "--watch -q 80", "--wait --timeout x 80", "--wait --timeout -1 80", "--wait --timeout .5 80",
      "--wait --timeout 5. 80", "--wait --timeout 1e3 80", "--wait --timeout 31536001 80",
      "--wait --timeout 99999999999999999999 80", "--watch --interval 0 80", "--watch --interval 0.09 80",
      "--watch --interval 86401 80", "--wait --probe 80", "--watch --probe 80", "--from f --probe 80",
      "--from f --netns 1 80", "--from f --deep 80", "--from f -4", "--from f --device /", "--from f --runtime no",
      "--from f -4 --v6only 80",
    ])
  func contradictions(_ words: String) {
    #expect(throws: UsageError.self) { try invocation(words) }
  }

  @Test("leaves of a saved plan what is not given")
  func saved() throws {
    #expect(try invocation("--from f").task == .saved(["f"], SavedQuestion()))
    let words = "--from - --reuseport --no-v6only --device eth0 --uid alice --runtime node -u6 80"
    guard case .saved(["-"], let question) = try invocation(words).task else { throw UsageError("not saved") }
    #expect(question.options == .reuseport)
    #expect(question.v6only == false)
    #expect(question.device == "eth0")
    #expect(question.uid == 1000)
    #expect(question.runtime?.name == "node")
    #expect(question.families == [.ipv6])
    #expect(question.items == [QuestionItem(addresses: [.wildcard], ports: 80...80, transport: .udp)])
  }

  @Test(
    "keeps its beat, and misses beats rather than piling them up",
    arguments: [(1000, 2000), (1999, 2000), (2000, 3000), (7500, 8000)] as [(UInt64, UInt64)])
  func beat(_ now: UInt64, _ expected: UInt64) {
    #expect(CommandLineProgram.nextTick(after: now, from: 1000, every: 1000) == expected)
  }

  @Test("draws a screen from the top and counts what has no room")
  func frame() {
    #expect(
      Redraw.frame("a\nb\n", isFirst: true, lines: 24)
        == "\u{1b}[2J\u{1b}[?7l\u{1b}[Ha\u{1b}[K\nb\u{1b}[K\n\u{1b}[J\u{1b}[?7h")
    let cut = Redraw.frame("1\n2\n3\n4\n5\n", isFirst: false, lines: 4)
    #expect(cut == "\u{1b}[?7l\u{1b}[H1\u{1b}[K\n2\u{1b}[K\n… 3 more lines\u{1b}[K\n\u{1b}[J\u{1b}[?7h")
    #expect(Redraw.frame("", isFirst: false, lines: 1) == "\u{1b}[?7l\u{1b}[H\u{1b}[J\u{1b}[?7h")
  }
}

@Suite("A lone TARGET")
struct LoneTargetTests {
  @Test(
    "is read as it stands", arguments: ["8080", "127.0.0.1:80", "[::1]:80/udp", "80x", "", "http", "a-b", "1,2"])
  func same(word: String) throws {
    #expect(try GivenOptions([word]) == GivenOptions(halfTyped: [word]))
    #expect(try GivenOptions([word]).operand == word)
  }

  @Test("and none at all likewise")
  func none() throws {
    #expect(try GivenOptions([]).operand == nil && present(GivenOptions([])) == [])
  }
}
