internal import Answers
internal import Explanation
internal import Linux
internal import PortwhyReport
internal import SocketModel

/// What the shells' completions ask the program for: `portwhy ---complete WHAT WORD [EARLIER WORDS…]`.
///
/// Not an option, so that no help lists it. A line of the answer is a candidate,
/// and after a tab what it is. Whatever goes wrong, there are no candidates: a shell that waits for the user's next
/// key is no place for a message.
enum CompletionSource {
  static let word = "---complete"

  /// The lines for these words, those after `---complete`.
  static func text(_ arguments: [String]) -> String {
    guard let kind = arguments.first.flatMap(CompletionKind.init(rawValue:)) else { return "" }
    let typed = arguments.dropFirst().first ?? ""
    let earlier = GivenOptions(halfTyped: Array(arguments.dropFirst(2)))
    let all: [Candidate] =
      switch kind {
      case .targets: targets(typed, earlier)
      case .interfaces: ((try? Portwhy.interfaceNames(in: namespace(earlier))) ?? []).map { Candidate($0, "") }
      case .namespaces: Portwhy.otherNamespaces().map { Candidate($0.reference.description, $0.description) }
      case .topics: Catalogue.topics.map { Candidate($0.slug, $0.summary) }
      case .runtimes: Runtime.catalogue.map { Candidate($0.name, defaults($0)) }
      case .users: Candidate.users(passwd: SystemCalls.contents(of: "/etc/passwd") ?? "")
      }
    let fitting = kind == .targets ? all : all.filter { $0.value.hasPrefix(typed) }
    return fitting.map(\.line).joined()
  }

  private static func targets(_ typed: String, _ earlier: GivenOptions) -> [Candidate] {
    let word = TargetWord(typed, transports: Set(earlier.transports))
    let services = { ServiceTable(parsing: SystemCalls.contents(of: "/etc/services") ?? "") }
    return word.candidates(services: services) { ports, isWanted in
      (try? Portwhy.portsInUse(
        TransportProtocol.allCases, ports: ports, in: namespace(earlier), nameTime: nameTime,
        namesUpTo: TargetWord.mostShown, where: isWanted)) ?? []
    }
  }

  static func namespace(_ earlier: GivenOptions) -> NamespaceReference? {
    earlier.value(.netns).flatMap(NamespaceReference.init)
  }

  /// Microseconds of processor time; the whole is to stay under 50 ms, the shell's own work included.
  private static let nameTime: UInt64 = 15_000

  private static func defaults(_ runtime: Runtime) -> String {
    guard let defaults = runtime.tcp ?? runtime.udp else { return "" }
    let options = (defaults.reuseaddr ? ["SO_REUSEADDR"] : []) + (defaults.reuseport ? ["SO_REUSEPORT"] : [])
    return options.isEmpty ? "sets neither option" : "sets " + options.joined(separator: " and ")
  }
}
