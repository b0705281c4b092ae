import Linux
import Answers
import SocketModel
import Testing

@testable import PortwhyCLI

private let table = ServiceTable(parsing: "http 80/tcp www\nhttp-alt 8080/tcp\nmdns 5353/udp\nntp 123/udp\n")

private func inUse(_ ports: [UInt16], _ transport: TransportProtocol = .tcp, by command: String = "a") -> [PortInUse]
{
  ports.map { PortInUse(transport: transport, port: Port($0), state: .listen, commands: [command]) }
}

private func candidates(
  _ word: String, _ transports: Set<TransportProtocol> = [], in ports: [PortInUse]
) -> [Candidate] {
  TargetWord(word, transports: transports).candidates(services: { table }) { range, isWanted in
    ports.filter { range.contains($0.port.rawValue) && isWanted($0.port) }
  }
}

@Suite("The completion source")
struct CompletionSourceTests {
  private let some = inUse([80, 8080, 9000]) + inUse([53], .udp)

  @Test("candidates stand for what follows the last comma or colon")
  func tails() {
    for head in ["", "1,", "127.0.0.1:", "[::1]:", "*:", "localhost:", "1,[fe80::1%eth0]:", "80-90,"] {
      #expect(candidates(head + "8", in: some).map(\.value) == ["80", "8080"], "\(head)")
    }
  }

  @Test(
    "where no port can stand nothing is offered", arguments: ["http://", "http://h:8", "::1", "[::1", ":8", "a:b:8"])
  func hopeless(_ word: String) {
    #expect(candidates(word, in: some) == [])
  }

  @Test("a port of the protocol that is not meant carries it")
  func protocols() {
    #expect(candidates("5", in: some).map(\.value) == ["53/udp"])
    #expect(candidates("5", [.udp], in: some).map(\.value) == ["53"])
    #expect(candidates("9", [.udp], in: some).map(\.value) == ["9000/tcp"])
    #expect(candidates("5", [.tcp, .udp], in: some).map(\.value) == ["53"])
    #expect(candidates("70/", in: some).map(\.value) == ["70/tcp", "70/udp"])
    #expect(candidates("70/u", in: some).map(\.value) == ["70/udp"])
  }

  @Test("a port that is in the word already is not offered again")
  func given() {
    #expect(candidates("80,8", in: some).map(\.value) == ["8080"])
    #expect(candidates("80,127.0.0.1:8", in: some).map(\.value) == ["80", "8080"])
  }

  @Test("letters are names of services of the protocol, and localhost")
  func names() {
    #expect(candidates("h", in: some).map(\.value) == ["http", "http-alt"])
    #expect(candidates("m", [.udp], in: some).map(\.value) == ["mdns"])
    #expect(candidates("lo", in: some).map(\.value) == ["localhost:"])
    #expect(candidates("localhost:lo", in: some) == [])
  }

  @Test("too many ports become the digits they begin with, which lead to every one of them")
  func stems() {
    let many = inUse(Array(10000...19999))
    let first = candidates("", in: many).map(\.value)
    #expect(first == (0...9).map { "1\($0)" })
    #expect(candidates("12", in: many).map(\.value) == (0...9).map { "12\($0)" })
    #expect(candidates("123", in: many).count == 100)
    // What all have in common is never the whole of them.
    #expect(candidates("", in: many + inUse([7])).map(\.value) == ["1", "7"])
    #expect(candidates("", in: many).map(\.description).allSatisfy { $0 == "1000 ports in use" })
  }

  @Test("no line of the answer can be broken by a command name")
  func hostileNames() {
    let lines = candidates("8080", in: inUse([8080], by: "a\tb\nc\u{1b}[31m")).map(\.line).joined()
    #expect(lines.filter { $0 == "\n" }.count == 1 && lines.filter { $0 == "\t" }.count == 1)
    #expect(lines.unicodeScalars.allSatisfy { $0 == "\n" || $0 == "\t" || $0.value >= 0x20 })
    for value in [
      "two words", "$(id>pwn)", "a;b", "`id`", "x|y", "\u{9B}31m", "it's", "*:80", "[::1]", "a?", "^a^b", "--help",
      "-rf", "=ls",
      "a\u{202E}b", "a\u{200B}b", "a\u{FE0F}", "a\u{3164}b", "a\u{2800}b", "\u{FFFD}", "a\u{E0041}",
    ] {
      #expect(Candidate(value, "").line == "", "\(value)")
    }
    for value in ["8080", "8000-8010/udp", "veth0@if2", "localhost:", "a=b", "é"] {
      #expect(Candidate(value, "").line == value + "\n")
    }
  }

  @Test("earlier words say protocol and namespace")
  func earlierWords() {
    let earlier = { (words: String...) in GivenOptions(halfTyped: words) }
    #expect(earlier("-u").transports == [.udp])
    #expect(earlier("-nut4").transports == [.tcp, .udp])
    #expect(earlier("--udp", "--uid", "u").transports == [.udp])
    #expect(CompletionSource.namespace(earlier("--netns", "web")) == .name("web"))
    #expect(CompletionSource.namespace(earlier("--netns=17")) == .process(17))
    #expect(CompletionSource.namespace(earlier("--netns")) == nil)
    // The value of another option is none of these.
    #expect(earlier("--uid", "--", "--device=-u").transports == [])
  }

  @Test("users come from passwd(5) with their numbers, and what is no entry is left out")
  func users() {
    let text = "root:x:0:0::/:/bin/sh\n+nis\nbroken\nwww:x:33:33::/:/x\n:x:1:1::/:/x\n"
    #expect(Candidate.users(passwd: text) == [Candidate("root", "uid 0"), Candidate("www", "uid 33")])
  }

  @Test("whatever is asked, there is no error and no help for it")
  func silent() {
    for words in [
      [], ["nothing"], ["nothing", "x", "y"], ["targets", "\u{1b}"], ["interfaces", "", "--netns", "no/such"],
    ] {
      #expect(CompletionSource.text(words) == "")
    }
    #expect(!HelpScreen.text().contains(CompletionSource.word))
    let start = ProgramStart(words: nil, environment: nil)
    #expect(CommandLineProgram.run([CompletionSource.word, "nothing"], start: start) == 0)
  }

  @Test("topics and runtimes are those of the catalogues, filtered by what is typed")
  func catalogues() {
    #expect(CompletionSource.text(["topics", "time-w"]).hasPrefix("time-wait\t"))
    #expect(CompletionSource.text(["runtimes", "nod"]).hasPrefix("node\tsets "))
    #expect(CompletionSource.text(["runtimes"]).split(separator: "\n").count > 30)
  }
}
