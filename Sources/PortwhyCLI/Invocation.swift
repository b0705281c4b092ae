internal import BindRules
internal import Explanation
internal import PortwhyKit
internal import SocketModel

/// What one call of the program is to do, with every contradiction ruled out.
struct Invocation: Hashable {
  enum Task: Hashable {
    case help
    case version
    /// The long text of a topic; nil for their list.
    case explain(Topic?)
    case answer(Question)
    case overview([TransportProtocol], in: NamespaceReference?)
    /// `--from`: the file, `-` for standard input.
    case saved(String, SavedQuestion)
  }

  enum Color: String, CaseIterable {
    case auto
    case always
    case never
  }

  var task: Task
  var pace = Pace.once
  var json = false
  var quiet = false
  var verbose = false
  var numeric = false
  var color = Color.auto

  /// What the parser must ask the host for.
  struct Lookup {
    var services: () -> ServiceTable
    /// getpwnam(3).
    var uid: (_ user: String) -> UInt32?
  }

  init(_ options: CommandWords, lookup: Lookup) throws(UsageError) {
    json = options.json
    quiet = options.quiet
    verbose = options.verbose
    numeric = options.numeric
    if options.help || options.version {
      task = options.help ? .help : .version
      return
    }
    if let word = options.afterTerminator.first { throw UsageError("unexpected \"\(word)\" after --") }
    if options.quiet && options.verbose { throw UsageError("-q and -v contradict each other") }
    color = try Self.color(options.color)
    if options.explain {
      task = .explain(try Self.topic(options))
      return
    }
    pace = try Pace(options)
    let transports = (options.tcp ? [TransportProtocol.tcp] : []) + (options.udp ? [.udp] : [])
    if let file = options.from {
      task = .saved(file, try Self.savedQuestion(options, transports, lookup))
      return
    }
    let namespace = try options.netns.map { word throws(UsageError) in try Self.namespace(word) }
    guard let target = options.target else {
      try Self.refuseWithoutTarget(options)
      task = .overview(transports.isEmpty ? TransportProtocol.allCases : transports, in: namespace)
      return
    }
    let families = Self.families(options)
    let parser = TargetParser(transports: transports, families: families, services: lookup.services)
    var question = Question(items: try parser.items(target), families: families)
    if options.reuseaddr { question.options.insert(.reuseaddr) }
    if options.reuseport { question.options.insert(.reuseport) }
    question.v6only = options.v6only
    if options.v6only == true && !Self.attemptsIPv6(question) {
      throw UsageError("--v6only, but TARGET attempts IPv4 only")
    }
    question.runtime = try Self.runtime(options.runtime)
    question.deep = options.deep
    question.bpf = !options.noBPF
    question.thorough = options.verbose || options.json
    question.device = try Self.device(options.device)
    question.uid = try options.uid.map { word throws(UsageError) in try Self.uid(word, lookup) }
    question.namespace = namespace
    question.probe = options.probe
    task = .answer(question)
  }

  // MARK: Options

  static func families(_ options: CommandWords) -> Set<AddressFamily>? {
    guard options.ipv4 || options.ipv6 else { return nil }
    return Set((options.ipv4 ? [AddressFamily.ipv4] : []) + (options.ipv6 ? [.ipv6] : []))
  }

  private static func color(_ word: String?) throws(UsageError) -> Color {
    guard let word else { return .auto }
    guard let color = Color(rawValue: word) else {
      throw UsageError("--color \"\(word)\" is none of auto, always, never")
    }
    return color
  }

  /// What plans a bind says nothing in the overview; silence would look like an answer.
  private static func refuseWithoutTarget(_ options: CommandWords) throws(UsageError) {
    let planning: Set = [
      "-4", "-6", "--reuseaddr", "--reuseport", "--v6only", "--no-v6only", "--runtime", "--device", "--uid",
      "--probe", "--deep", "--no-bpf",
    ]
    if let option = options.first(of: planning) { throw UsageError("\(option) needs a TARGET") }
  }

  private static func topic(_ options: CommandWords) throws(UsageError) -> Topic? {
    let other = options.given.first { $0 != "--explain" && $0 != "--color" }
    if let other { throw UsageError("\(other) says nothing beside --explain") }
    guard let word = options.target else { return nil }
    if let topic = Catalogue.topic(word) { return topic }
    let nearest = Catalogue.nearest(to: word).map { ", did you mean \($0.slug)?" }
    throw UsageError("no topic \"\(word)\"\(nearest ?? ", --explain alone lists them")")
  }

  static func runtime(_ word: String?) throws(UsageError) -> Runtime? {
    guard let word else { return nil }
    if let runtime = Runtime(named: word) { return runtime }
    let nearest = Runtime.nearest(to: word).map { ": did you mean \($0)?" } ?? "; the manual page lists them"
    throw UsageError("unknown runtime \"\(word)\"\(nearest)")
  }

  static func attemptsIPv6(_ question: Question) -> Bool {
    question.items.contains { item in
      item.addresses.contains { address in
        switch address {
        case .wildcard: question.families?.contains(.ipv6) ?? true
        case .address(let address, _): address.family == .ipv6
        }
      }
    }
  }

  /// A name the host does not have is an answer (ENODEV); one that no interface can have is a slip (IFNAMSIZ).
  static func device(_ name: String?) throws(UsageError) -> String? {
    guard let name else { return nil }
    if name.isEmpty { throw UsageError("--device \"\" names no interface") }
    // Kernel function `dev_valid_name`; its blanks are those of Latin-1.
    let never: (UInt8) -> Bool = {
      $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: ":") || $0 == 0x20 || $0 == 0xa0 || (0x09...0x0d).contains($0)
    }
    if name.utf8.count > 15 && !name.isRepaired || name == "." || name == ".." || name.utf8.contains(where: never) {
      throw UsageError("--device \"\(name)\" cannot be the name of an interface")
    }
    // Every byte that is no UTF-8 looks the same here, and another interface must not be taken for this one.
    if name.isRepaired { throw UsageError("--device \"\(name)\" is not valid UTF-8") }
    return name
  }

  private static func namespace(_ word: String) throws(UsageError) -> NamespaceReference {
    guard let namespace = NamespaceReference(word) else {
      throw UsageError("--netns \"\(word)\" is neither a process, a name nor a path")
    }
    return namespace
  }

  static func uid(_ word: String, _ lookup: Lookup) throws(UsageError) -> UInt32 {
    if word.isDecimal {
      // (uid_t)-1 means "no user" to the kernel.
      guard let uid = UInt32(word), uid != .max else { throw UsageError("--uid \"\(word)\" is out of range") }
      return uid
    }
    guard let uid = lookup.uid(word) else { throw UsageError("unknown user \"\(word)\"") }
    return uid
  }
}

extension String {
  /// It has, or had before it was read, bytes that are no UTF-8.
  var isRepaired: Bool { unicodeScalars.contains("\u{fffd}") }
}
