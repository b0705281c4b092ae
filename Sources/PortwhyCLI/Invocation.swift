internal import Answers
internal import BindRules
internal import Explanation
internal import Linux
internal import SocketModel

/// What one call of the program is to do, with every contradiction ruled out.
struct Invocation: Hashable {
  enum Task: Hashable {
    case help
    case version
    /// The long text of a topic; nil for their list.
    case explain(Topic?)
    /// `--runtime list`.
    case runtimes
    case answer(Question)
    case overview([TransportProtocol], in: NamespaceReference?)
    /// `--from`: the files, `-` for standard input.
    case saved([String], SavedQuestion)
    /// What stands after `--`.
    case command([String], CommandSettings)
  }

  enum Color: String, CaseIterable {
    case auto
    case always
    case never

    static let words = allCases.map(\.rawValue)
  }

  var task: Task
  var pace = Pace.once
  var json = false
  /// The table of an overview shows less than a report has.
  var overviewDetail: OverviewDetail { json || verbose ? .everySocket : .table }
  var quiet = false
  /// A line for each port and address.
  var brief = false
  /// How many ports `--free` is to find; nil without it.
  var free: Int?
  var verbose = false
  var numeric = false
  var color = Color.auto

  /// What the parser must ask the host for.
  struct Lookup {
    var services: () -> ServiceTable
    var hosts: () -> HostNames = { HostNames(parsing: "", own: nil) }
    /// getpwnam(3).
    var uid: (_ user: String) -> UInt32?
    /// A small file.
    var file: (_ path: String) -> FileText = { _ in .absent }
  }

  init(_ given: GivenOptions, lookup: Lookup) throws(UsageError) {
    try OptionTable.portwhy.check(given)
    json = given.has(.json)
    quiet = given.has(.quiet)
    brief = given.has(.brief)
    free = try Self.free(given)
    verbose = given.has(.verbose)
    numeric = given.has(.numeric)
    if given.has(.help) || given.has(.version) {
      task = given.has(.help) ? .help : .version
      return
    }
    color = given.value(.color).flatMap(Color.init(rawValue:)) ?? .auto
    if let command = given.command {
      task = .command(command, CommandSettings(given, color))
      return
    }
    if given.asksForRuntimes {
      task = .runtimes
      return
    }
    if given.has(.explain) {
      task = .explain(try Self.topic(given))
      return
    }
    pace = try Pace(given)
    if given.has(.from) {
      task = .saved(given.values(.from), try Self.savedQuestion(given, lookup))
      return
    }
    let namespace = try given.value(.netns).map { word throws(UsageError) in try Self.namespace(word) }
    guard let target = given.operand else {
      let transports = given.transports
      task = .overview(transports.isEmpty ? TransportProtocol.allCases : transports, in: namespace)
      return
    }
    let items = try Self.items(target, given, lookup)
    var question = Question(items: items, families: given.families)
    question.options = given.reuseOptions
    question.v6only = given.v6only
    question.hasBindCapability = given.has(.capNetBind)
    question.runtime = try Self.runtime(given)
    question.isDeep = given.has(.deep)
    question.usesBPF = !given.has(.noBPF)
    if given.has(.ours) { question.ours = try Self.ours(given, lookup) }
    // Without names nothing could be told to be one's own.
    question.isVerdictOnly = (quiet || free != nil) && question.ours.isEmpty
    question.systems = Self.systems(given)
    question.device = try Self.device(given)
    question.uid = try Self.uid(given, lookup)
    question.namespace = namespace
    question.probes = given.has(.probe)
    task = .answer(question)
  }

  // MARK: Words

  /// TARGET with the options that say what of it is attempted.
  static func items(
    _ target: String, _ given: GivenOptions, _ lookup: Lookup
  ) throws(UsageError) -> [QuestionItem] {
    let families = given.families
    let parser = TargetParser(
      transports: given.transports, families: families, services: lookup.services, hosts: lookup.hosts)
    let items = try parser.items(target)
    if given.v6only == true && !attemptsIPv6(items, families) {
      throw UsageError("--v6only, but TARGET attempts IPv4 only")
    }
    return items
  }

  private static func attemptsIPv6(_ items: [QuestionItem], _ families: Set<AddressFamily>?) -> Bool {
    items.contains { item in
      item.addresses.contains { address in
        switch address {
        case .wildcard, .everyAddress: families?.contains(.ipv6) ?? true
        case .address(let address, _): address.family == .ipv6
        }
      }
    }
  }

  private static func topic(_ given: GivenOptions) throws(UsageError) -> Topic? {
    let inOption = given.value(.explain)
    if inOption != nil, let operand = given.operand { throw UsageError("unexpected argument \(Shown(operand))") }
    guard let word = inOption ?? given.operand else { return nil }
    if let topic = Catalogue.topic(word) { return topic }
    let nearest = Catalogue.nearest(to: word).map { ", did you mean \($0.slug)?" }
    throw UsageError("no topic \(Shown(word))\(nearest ?? ", --explain alone lists them")")
  }

  private static func free(_ given: GivenOptions) throws(UsageError) -> Int? {
    guard given.has(.free) else { return nil }
    guard let word = given.value(.free) else { return 1 }
    guard word.isDecimal, let number = Int(word), (1...65535).contains(number) else {
      throw UsageError("--free \(Shown(word)) is not in 1-65535")
    }
    return number
  }

  /// Those of `--as`, each once; the table has refused every other word.
  static func systems(_ given: GivenOptions) -> [BSDSystem] {
    given.values(.system).compactMap(BSDSystem.init(rawValue:)).reduce(into: []) { systems, system in
      if !systems.contains(system) { systems.append(system) }
    }
  }

  static func runtime(_ given: GivenOptions) throws(UsageError) -> Runtime? {
    guard let word = given.value(.runtime) else { return nil }
    if let runtime = Runtime(named: word) { return runtime }
    let nearest = Runtime.nearest(to: word).map { ": did you mean \($0)?" } ?? "; the manual page lists them"
    throw UsageError("unknown runtime \(Shown(word))\(nearest)")
  }

  /// A name the host does not have is an answer (ENODEV); one that no interface can have is a slip (IFNAMSIZ).
  static func device(_ given: GivenOptions) throws(UsageError) -> String? {
    guard let name = given.value(.device) else { return nil }
    if name.isEmpty { throw UsageError("--device \"\" names no interface") }
    // Kernel function `dev_valid_name`; its blanks are those of Latin-1.
    let never: (UInt8) -> Bool = {
      $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: ":") || $0 == 0x20 || $0 == 0xa0 || (0x09...0x0d).contains($0)
    }
    if name.utf8.count > 15 && !name.isRepaired || name == "." || name == ".." || name.utf8.contains(where: never) {
      throw UsageError("--device \(Shown(name)) cannot be the name of an interface")
    }
    // Every byte that is no UTF-8 looks the same here, and another interface must not be taken for this one.
    if name.isRepaired { throw UsageError("--device \(Shown(name)) is not valid UTF-8") }
    return name
  }

  private static func namespace(_ word: String) throws(UsageError) -> NamespaceReference {
    guard let namespace = NamespaceReference(word) else {
      throw UsageError("--netns \(Shown(word)) is neither a process, a name nor a path")
    }
    return namespace
  }

  static func uid(_ given: GivenOptions, _ lookup: Lookup) throws(UsageError) -> UInt32? {
    try given.value(.uid).map { word throws(UsageError) in try uid(word, option: "--uid ", lookup) }
  }

  /// - Parameter option: as a message has it, before the word.
  static func uid(_ word: String, option: String, _ lookup: Lookup) throws(UsageError) -> UInt32 {
    if word.isDecimal {
      // (uid_t)-1 means "no user" to the kernel.
      guard let uid = UInt32(word), uid != .max else { throw UsageError("\(option)\(Shown(word)) is out of range") }
      return uid
    }
    guard let uid = lookup.uid(word) else { throw UsageError("unknown user \(Shown(word))") }
    return uid
  }
}

extension GivenOptions {
  /// What `-t` and `-u` ask for; empty where neither was given.
  var transports: [TransportProtocol] { (has(.tcp) ? [.tcp] : []) + (has(.udp) ? [.udp] : []) }

  /// The families of `-4` and `-6`; nil for both.
  var families: Set<AddressFamily>? {
    guard has(.ipv4) || has(.ipv6) else { return nil }
    return Set((has(.ipv4) ? [AddressFamily.ipv4] : []) + (has(.ipv6) ? [.ipv6] : []))
  }

  var reuseOptions: ReuseOptions {
    (has(.reuseaddr) ? .reuseaddr : ReuseOptions()).union(has(.reuseport) ? .reuseport : [])
  }

  /// Nil where neither `--v6only` nor `--no-v6only` was given.
  var v6only: Bool? { has(.v6only) ? true : has(.noV6only) ? false : nil }
}

extension String {
  /// It has, or had before it was read, bytes that are no UTF-8.
  var isRepaired: Bool { unicodeScalars.contains("\u{fffd}") }
}

/// The ports of a report on which every planned bind works, in the order asked for.
struct FreePorts {
  private(set) var ports: [Port] = []
  /// False where sockets that are only bound cannot be seen, so that the ports are likely at best.
  private(set) var areSure = true

  init(_ report: Report) {
    var targets: [Port: [TargetReport]] = [:]
    var order: [Port] = []
    for target in report.targets {
      if targets[target.port] == nil { order.append(target.port) }
      targets[target.port, default: []].append(target)
    }
    for port in order {
      let all = targets[port] ?? []
      if all.allSatisfy({ $0.verdict == .ok }) {
        ports.append(port)
      } else if all.allSatisfy(\.isLikely) {
        ports.append(port)
        areSure = false
      }
    }
  }
}

extension TargetReport {
  /// Whether nothing that can be seen is in the way, and nothing else is open.
  fileprivate var isLikely: Bool {
    guard verdict != .ok else { return true }
    guard verdict == .undetermined else { return false }
    return attempts.allSatisfy { attempt in
      guard let outcome = attempt.outcome(plan.options) else { return false }
      return outcome.verdict == .ok
        || (outcome.blockers.isEmpty && outcome.missing.allSatisfy { $0.kind == .boundSockets })
    }
  }
}

extension Invocation {
  /// Whether it is the overview that is to be printed: asked for, or all that a saved report has.
  func asksForOverview(_ report: Report) -> Bool {
    switch task {
    case .overview: true
    case .saved: report.targets.allSatisfy(\.attempts.isEmpty)
    case .answer, .explain, .runtimes, .help, .version, .command: false
    }
  }
}

/// Whether the host is looked at once, until something works, or again and again.
enum Pace: Hashable {
  case once
  /// `--wait`: milliseconds until it gives up, nil for never.
  case wait(timeout: UInt64?)
  /// `--watch`: milliseconds from one look to the next.
  case watch(interval: UInt64)

  init(_ given: GivenOptions) throws(UsageError) {
    if given.has(.wait) {
      // A year: longer is never, which is without --timeout.
      self = .wait(timeout: try Self.milliseconds("--timeout", given.value(.timeout), from: 0, to: 31_536_000))
    } else if given.has(.watch) {
      self = .watch(
        interval: try Self.milliseconds("--interval", given.value(.interval), from: 100, to: 86_400) ?? 1000)
    } else {
      self = .once
    }
  }

  /// Reads seconds, a decimal number such as `10` or `0.5`; what is finer than a millisecond is cut off.
  private static func milliseconds(
    _ option: String, _ word: String?, from least: UInt64, to most: UInt64
  ) throws(UsageError) -> UInt64? {
    guard let word else { return nil }
    guard let number = milliseconds(word), (least...most * 1000).contains(number) else {
      throw UsageError("\(option) \(Shown(word)) is not in \(least == 0 ? "0" : "0.\(least / 100)")-\(most) seconds")
    }
    return number
  }

  static func milliseconds(_ word: String) -> UInt64? {
    let parts = word.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.allSatisfy(\.isDecimal), parts[0].utf8.count <= 9,
      let whole = UInt64(parts[0])
    else { return nil }
    let fraction = parts.count == 2 ? String(parts[1].prefix(3)) : ""
    let padded = fraction + String(repeating: "0", count: 3 - fraction.utf8.count)
    return whole * 1000 + (UInt64(padded) ?? 0)
  }
}

/// What was typed, sorted by option but not yet understood: what it means is decided in `Invocation`.
struct GivenOptions: Hashable {
  /// TARGET, or TOPIC with `--explain`.
  private(set) var operand: String?
  /// What stands after `--`, the words of a command; nil without `--`.
  private(set) var command: [String]?
  /// A bit for each option that was given, by its number.
  private var present: UInt64 = 0
  /// What stood with those that can have a value, in the order typed.
  private var values: [Value] = []

  private struct Value: Hashable {
    var option: Option
    /// Nil where an optional one was left out.
    var text: String?
  }

  /// Reads the words after the program's name.
  init(_ words: [String], table: OptionTable = .portwhy) throws(UsageError) {
    let (parts, command) = Getopt.parts(of: words, options: table.rows)
    for part in parts {
      switch part {
      case .operand(let word):
        // The value of --free stands after = alone, and people write it as the next word.
        if let number = operand, number.isDecimal, has(.free), value(.free) == nil {
          let target = Shown.holdsSecret(word) ? "TARGET" : word
          throw UsageError("the number of --free is given with =: --free=\(number) \(target)")
        }
        if let first = operand {
          let hint =
            has(.from)
            ? "; --from takes one file: repeat it, or give a directory"
            : first.isDecimal && word.isDecimal ? "; type several ports with commas: \(first),\(word)" : ""
          throw UsageError("unexpected argument \(Shown(word))\(hint)")
        }
        operand = word
      case .option(let number, let value): add(table.rows[number], value)
      case .unknown(let option, let word):
        let place = option.hasPrefix("--") || option == word ? "" : " in \(Shown(word))"
        throw UsageError(
          "unknown option \(Shown(option, of: word))\(Shown.holdsSecret(word) ? "" : place)"
            + (table.nearest(to: option).map { "; is it \($0)?" } ?? "; --help lists them all"))
      case .missingValue(let number): throw UsageError("\(table.rows[number].name) needs a value")
      case .unwantedValue(let number): throw UsageError("\(table.rows[number].name) takes no value")
      }
    }
    self.command = command
  }

  /// Takes what is right and leaves out the rest: for a command line that is being typed.
  init(halfTyped words: [String], table: OptionTable = .portwhy) {
    for part in Getopt.parts(of: words, options: table.rows).parts {
      switch part {
      case .operand(let word): operand = operand ?? word
      case .option(let number, let value): add(table.rows[number], value)
      case .unknown, .missingValue, .unwantedValue: break
      }
    }
  }

  private mutating func add(_ row: OptionRow, _ value: String?) {
    if let opposite = row.opposite { present &= ~opposite.bit }
    present |= row.option.bit
    if row.value != .none { values.append(Value(option: row.option, text: value)) }
  }

  /// Whether the list of runtimes is asked for.
  var asksForRuntimes: Bool { value(.runtime) == "list" }

  func has(_ option: Option) -> Bool { present & option.bit != 0 }

  /// The value that counts, the last one; nil where the option was not given, or without one.
  func value(_ option: Option) -> String? { values.last { $0.option == option }?.text }

  /// All values of a repeatable option.
  func values(_ option: Option) -> [String] { values.compactMap { $0.option == option ? $0.text : nil } }
}

extension Option {
  /// Of 64; a test counts the options.
  fileprivate var bit: UInt64 { 1 << UInt64(rawValue) }
}
