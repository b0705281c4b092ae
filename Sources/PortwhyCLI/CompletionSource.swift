internal import PortwhyExplanation
internal import PortwhyKit
internal import PortwhyReport
internal import SocketModel

/// What the shells' completions ask the program for: `portwhy ---complete WHAT WORD [EARLIER WORDS…]`.
///
/// Not an option, so that no help lists it and ArgumentParser never sees it. A line of the answer is a candidate,
/// and after a tab what it is. Whatever goes wrong, there are no candidates: a shell that waits for the user's next
/// key is no place for a message.
enum CompletionSource {
  static let word = "---complete"

  /// The lines for these words, those after `---complete`.
  static func text(_ arguments: [String]) -> String {
    guard let kind = arguments.first else { return "" }
    let typed = arguments.dropFirst().first ?? ""
    let line = EarlierWords(arguments.dropFirst(2))
    let all: [Candidate] =
      switch kind {
      case "targets": targets(typed, line)
      case "interfaces": ((try? Portwhy.interfaceNames(in: line.namespace)) ?? []).map { Candidate($0, "") }
      case "namespaces": Portwhy.otherNamespaces().map { Candidate($0.reference.description, $0.description) }
      case "topics": Catalogue.topics.map { Candidate($0.slug, $0.summary) }
      case "runtimes": Runtime.catalogue.map { Candidate($0.name, defaults($0)) }
      case "users": users(SystemCalls.contents(of: "/etc/passwd") ?? "")
      default: []
      }
    let fitting = kind == "targets" ? all : all.filter { $0.value.hasPrefix(typed) }
    return fitting.map(\.line).joined()
  }

  private static func targets(_ typed: String, _ line: EarlierWords) -> [Candidate] {
    let word = TargetWord(typed, transports: line.transports)
    let services = { ServiceTable(parsing: SystemCalls.contents(of: "/etc/services") ?? "") }
    return word.candidates(services: services) { ports, isWanted in
      (try? Portwhy.portsInUse(
        TransportProtocol.allCases, ports: ports, in: line.namespace, nameTime: nameTime,
        namesUpTo: TargetWord.mostShown, where: isWanted)) ?? []
    }
  }

  /// Microseconds of processor time; the whole is to stay under 50 ms, the shell's own work included.
  private static let nameTime: UInt64 = 15_000

  /// passwd(5), and no other source of users, which may be on the network.
  static func users(_ text: String) -> [Candidate] {
    text.split(separator: "\n").compactMap { line in
      let fields = line.split(separator: ":", omittingEmptySubsequences: false)
      guard fields.count >= 3, !fields[0].isEmpty, UInt32(fields[2]) != nil else { return nil }
      return Candidate(String(fields[0]), "uid \(fields[2])")
    }
  }

  private static func defaults(_ runtime: Runtime) -> String {
    let options = (runtime.reuseaddr ? ["SO_REUSEADDR"] : []) + (runtime.reuseport ? ["SO_REUSEPORT"] : [])
    return options.isEmpty ? "sets neither option" : "sets " + options.joined(separator: " and ")
  }
}

/// One line of the answer.
struct Candidate: Hashable {
  var value: String
  var description: String

  init(_ value: String, _ description: String) {
    self.value = value
    self.description = description
  }

  /// Nothing in it can end the line, the column or the shell's patience; a value with a blank or worse is left out.
  var line: String {
    guard !value.isEmpty, value.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f }) else { return "" }
    let text = TerminalText.escaped(description)
    return text.isEmpty ? value + "\n" : "\(value)\t\(text)\n"
  }
}

/// What the words before the one to complete have said already.
struct EarlierWords: Hashable {
  /// TCP where neither `-t` nor `-u` is there, as everywhere; and then the other as well, which has to be named.
  var transports: Set<TransportProtocol> = []
  var namespace: NamespaceReference?

  init(_ words: some Sequence<String>) {
    var expectsNamespace = false
    for word in words {
      if expectsNamespace {
        namespace = NamespaceReference(word)
        expectsNamespace = false
      } else if word == "--netns" {
        expectsNamespace = true
      } else if word.hasPrefix("--netns=") {
        namespace = NamespaceReference(String(word.dropFirst("--netns=".count)))
      } else if word == "--tcp" || Self.isCluster(word, with: "t") {
        transports.insert(.tcp)
        if Self.isCluster(word, with: "u") { transports.insert(.udp) }
      } else if word == "--udp" || Self.isCluster(word, with: "u") {
        transports.insert(.udp)
      }
    }
  }

  /// `-tu4` and the like.
  private static func isCluster(_ word: String, with letter: Character) -> Bool {
    word.hasPrefix("-") && !word.hasPrefix("--") && word.contains(letter)
  }
}
