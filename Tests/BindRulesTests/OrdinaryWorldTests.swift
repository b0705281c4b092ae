@testable import BindRules
import SocketModel
import Testing

/// The ordinary world stated a second time: what a socket of a text is taken to have where the text does not say.
private struct OrdinaryWords {
  var texts: [String]

  private static func words(_ text: String) -> [String] { text.split(separator: " ").map(String.init) }

  private static func isIPv4(_ address: String) -> Bool { !address.contains(":") || address.hasPrefix("::ffff:") }

  /// The listener that accepted this connection: on its address, else on the wildcard of IPv4, else on `::`; of its family.
  private func parent(of child: [String]) -> [String]? {
    let listeners = texts.map(Self.words).filter {
      $0[0] == "LISTEN" && $0[1].contains(":") == child[1].contains(":")
    }
    let wildcards = Self.isIPv4(child[1]) ? ["0.0.0.0", "::ffff:0.0.0.0", "::"] : ["::"]
    return ([child[1]] + wildcards).lazy.compactMap { address in listeners.last { $0[1] == address } }.first
  }

  /// The text without a question mark, where the ordinary world answers it.
  func filled(_ text: String) -> String {
    let words = Self.words(text)
    let isConnection = words.contains { $0.hasPrefix("remote=") }
    let parent = isConnection && words[0] != "SYN_SENT" ? parent(of: words) : nil
    // Who called: with a port that connect(2) picks, where nobody listened.
    let isClient = words[0] == "SYN_SENT" || (parent == nil && words.contains("port=40000"))
    var (sets, v6only): ([String], String?) = ([], nil)
    if words[0] == "UDP" || isClient {
      v6only = ""
    } else if let parent {
      let own = Self.words(filled(parent.joined(separator: " ")))
      sets = ["RA", "RP"].filter(own.contains)
      v6only = own.contains("v6only?") ? nil : own.contains("V6ONLY") ? "V6ONLY" : ""
    } else {
      sets = ["RA"]
      if isConnection {
        // What is left of a listener's other connections tells whether it took IPv4.
        let remains = texts.map(Self.words).filter { $0.contains { $0.hasPrefix("remote=") } }.map { $0[1] }
        v6only =
          remains.contains { $0.hasPrefix("::ffff:") } ? "" : remains.contains { !$0.contains(":") } ? "V6ONLY" : nil
      }
    }
    return words.map { word in
      switch word {
      case "ra?": sets.contains("RA") ? "RA" : ""
      case "rp?": sets.contains("RP") ? "RP" : ""
      case "v6only?": v6only ?? word
      case "uid?": words[0] == "TIME_WAIT" ? word : "uid=5"
      default: word
      }
    }.joined(separator: " ")
  }
}

@Suite("The ordinary world, stated twice")
struct OrdinaryAgreementTests {
  private static func unknown(_ random: inout Numbers, _ text: String) -> String {
    var words = [text]
    words.append(random.pick(["ra?", "ra?", "", "RA"]))
    words.append(random.pick(["rp?", "rp?", "", "RP"]))
    if text.contains(":") {
      // An IPv4-mapped address cannot have IPV6_V6ONLY.
      words.append(random.pick(["v6only?", "v6only?", "", text.contains("::ffff:") ? "" : "V6ONLY"]))
    }
    if random.pick(4) == 0 { words.append("uid?") }
    return words.joined(separator: " ")
  }

  @Test("is the same in whatever order TCP sockets were dumped")
  func order() {
    var random = Numbers(state: 20_261_129)
    var likely = 0
    for _ in 0..<1_500 {
      var texts: [String] = []
      for _ in 0..<random.pick([1, 2, 3]) {
        texts.append("LISTEN " + random.pick(["0.0.0.0", "::", "::", "::ffff:0.0.0.0", "127.0.0.1", "::1"]))
      }
      for _ in 0..<random.pick([0, 1, 2]) {
        let state = random.pick(["ESTABLISHED", "TIME_WAIT"])
        texts.append("\(state) " + random.pick(["127.0.0.1", "::1", "::ffff:127.0.0.1"]) + " remote=50000")
      }
      if random.pick(3) == 0 { texts.append("BOUND " + random.pick(["0.0.0.0", "::", "127.0.0.2"])) }
      let inodes = Array(1...9).shuffled(using: &random)
      texts = zip(texts, inodes).map { text, inode in
        let more = ["", random.pick(["", "", "dev=2"]), random.pick(["", "uid=5"]), "inode=\(inode)"]
        return Self.unknown(&random, text) + more.joined(separator: " ")
      }
      let planned = attempt(random.pick(["0.0.0.0", "0.0.0.0", "127.0.0.1", "::", "::1", ":: V6ONLY"]))
      let answers = (0..<4).map { number in
        let order = number == 0 ? texts : number == 1 ? texts.reversed() : texts.shuffled(using: &random)
        let snapshot = Snapshot(host: openHost(), sockets: order.map(socket))
        return likelyLine(withLikelyOutcomes(outcomes(of: planned, in: snapshot), of: planned, in: snapshot))
      }
      likely += answers[0].contains("(") ? 1 : 0
      #expect(Set(answers).count == 1, "\(planned) beside \(texts): \(answers)")
    }
    #expect(likely > 250)
  }

  @Test("gives each set of sockets the likely answer that the same sockets have where everything of them is known")
  func random() {
    var random = Numbers(state: 20_261_128)
    var likely = 0
    for _ in 0..<4_000 {
      let isUDP = random.pick(4) == 0
      let addresses = ["127.0.0.1", "10.0.0.1", "::1", "::2", "::ffff:127.0.0.1"].shuffled(using: &random)
      var texts: [String] = []
      if isUDP {
        texts = ["UDP " + random.pick(["0.0.0.0", "::", "127.0.0.1", "::1"])]
      } else {
        let listener = random.pick(["", "LISTEN 0.0.0.0", "LISTEN ::", "LISTEN ::ffff:0.0.0.0", "LISTEN 127.0.0.1"])
        if !listener.isEmpty { texts.append(listener) }
        for address in addresses.prefix(random.pick([0, 1, 1, 2])) {
          let state = random.pick(["ESTABLISHED", "TIME_WAIT", "TIME_WAIT"])
          texts.append(
            "\(state) \(address) " + random.pick(["remote=50000", "remote=50000", "port=40000 remote=443"]))
        }
        if let last = addresses.last, random.pick(4) == 0 { texts.append("BOUND " + last) }
        if random.pick(8) == 0 { texts.append("SYN_SENT 127.0.0.1 remote=443") }
      }
      texts = texts.map { Self.unknown(&random, $0) }.shuffled(using: &random)
      let world = OrdinaryWords(texts: texts)
      let planned = attempt((isUDP ? "UDP " : "") + random.pick(["0.0.0.0", "127.0.0.1", "::", "::1", ":: V6ONLY"]))
      let known = Snapshot(host: openHost(), sockets: texts.map { socket(world.filled($0)) })
      let snapshot = Snapshot(host: openHost(), sockets: texts.map(socket))
      let all = withLikelyOutcomes(outcomes(of: planned, in: snapshot), of: planned, in: snapshot)
      // With SO_REUSEPORT TCP's bind bucket has a say too.
      for (guess, expected) in zip(all, outcomes(of: planned, in: known))
      where isUDP || !guess.options.contains(.reuseport) {
        guard guess.verdict == .undetermined else { continue }
        if expected.verdict == .undetermined {
          #expect(guess.likely == nil, "\(planned) beside \(texts)")
        } else {
          likely += 1
          #expect(guess.likely?.bind == expected.bind, "\(planned), \(guess.options) beside \(texts)")
          #expect(guess.likely?.listen == expected.listen, "\(planned), \(guess.options) beside \(texts)")
        }
      }
    }
    #expect(likely > 1_000)
  }
}

@Suite("Sockets that the rules cannot tell apart")
struct AlikeTests {
  private static func kinds(_ texts: [String]) -> [OrdinarySocket] {
    let sockets = texts.map(socket)
    return OrdinarySocket.kinds(sockets, Snapshot(host: openHost(), sockets: sockets)) { _ in nil }
  }

  @Test("stand there once: of TCP the one that was made last, of UDP the one that bind(2) examines first")
  func first() {
    for (transport, inode) in [("BOUND", UInt64(7)), ("UDP", 3)] {
      let kinds = Self.kinds(["\(transport) 127.0.0.1 inode=3", "\(transport) 127.0.0.1 inode=7"])
      #expect(kinds.map(\.observation.inode) == [inode], "\(transport)")
    }
  }

  @Test("take from their listener what is known of it, not what another socket tells")
  func inherited() {
    let child = "ESTABLISHED ::1 ra? rp? v6only? remote=50000"
    for (listener, expected) in [("LISTEN :: RA V6ONLY", true), ("LISTEN :: ra~ rp~ v6only~", nil)]
      as [(String, Bool?)]
    {
      var all = Self.kinds([listener, child])
      let before = all
      all[1].inherit(from: before) { _ in true }
      #expect(all[1].observation.reuseaddr.sure == expected && all[1].observation.v6only?.sure == expected)
    }
  }

  @Test("are given no IPV6_V6ONLY where their family has none")
  func v6only() {
    for (address, has) in [("127.0.0.1", false), ("::1", true)] {
      var all = Self.kinds(["UDP \(address) ra? rp? v6only?"])
      all[0].fill(attempt("UDP " + address)) { _ in true }
      #expect((all[0].observation.v6only != nil) == has, "\(address)")
      #expect(all[0].observation.reuseaddr.sure == false)
    }
  }
}
