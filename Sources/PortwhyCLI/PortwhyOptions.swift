internal import ArgumentParser

/// The command line as ArgumentParser reads it; what the words mean is decided in `Invocation`.
///
/// Help and version are our own: ArgumentParser's would exit by themselves and print a text of their own.
struct PortwhyOptions: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "portwhy", helpNames: [])

  // `.unconditional` takes a word such as -1 for the value, so that the message can say what is wrong with it.
  @Argument var target: String?

  @Flag(name: [.customShort("t"), .customLong("tcp")]) var tcp = false
  @Flag(name: [.customShort("u"), .customLong("udp")]) var udp = false
  @Flag(name: .customShort("4")) var ipv4 = false
  @Flag(name: .customShort("6")) var ipv6 = false
  @Flag(name: .customLong("reuseaddr")) var reuseaddr = false
  @Flag(name: .customLong("reuseport")) var reuseport = false
  @Flag(name: .customLong("v6only"), inversion: .prefixedNo, exclusivity: .chooseLast) var v6only: Bool?
  @Option(name: .customLong("runtime")) var runtime: String?
  @Option(name: .customLong("device")) var device: String?
  @Option(name: .customLong("uid"), parsing: .unconditional) var uid: String?
  @Option(name: .customLong("netns")) var netns: String?
  @Flag(name: .customLong("probe")) var probe = false
  @Flag(name: [.customShort("n"), .customLong("numeric")]) var numeric = false
  @Flag(name: .customLong("deep")) var deep = false
  @Flag(name: .customLong("no-bpf")) var noBPF = false
  @Flag(name: .customLong("wait")) var wait = false
  @Option(name: .customLong("timeout"), parsing: .unconditional) var timeout: String?
  @Flag(name: .customLong("watch")) var watch = false
  @Option(name: .customLong("interval"), parsing: .unconditional) var interval: String?
  @Option(name: .customLong("from")) var from: String?
  @Flag(name: .customLong("json")) var json = false
  @Flag(name: [.customShort("q"), .customLong("quiet")]) var quiet = false
  @Flag(name: [.customShort("v"), .customLong("verbose")]) var verbose = false
  @Option(name: .customLong("color")) var color: String?
  /// The word after it is TOPIC, which ArgumentParser reads as the positional: it knows no optional values.
  @Flag(name: .customLong("explain")) var explain = false
  @Flag(name: .customLong("version")) var version = false
  @Flag(name: [.customShort("h"), .customLong("help")]) var help = false

  @Argument(parsing: .postTerminator) var afterTerminator: [String] = []

  /// Reads the words after the program's name.
  static func reading(_ arguments: [String]) throws(UsageError) -> PortwhyOptions {
    do {
      return try PortwhyOptions.parse(splittingExplain(arguments))
    } catch {
      // Success means that ArgumentParser itself has something to print: its hidden options, which are not ours.
      if exitCode(for: error) == .success {
        let word = arguments.first { $0.hasPrefix("--generate") || $0.hasPrefix("--experimental") }
        throw UsageError("unknown option \"\(word ?? "")\"")
      }
      throw UsageError(oneLine(message(for: error)))
    }
  }

  /// `--explain=TOPIC` as two words.
  private static func splittingExplain(_ arguments: [String]) -> [String] {
    arguments.flatMap { word in
      word.hasPrefix("--explain=") ? ["--explain", String(word.dropFirst("--explain=".count))] : [word]
    }
  }

  /// ArgumentParser's first line in this program's spelling: lower case, double quotes, no full stop, and an option as
  /// it is typed, without the name that ArgumentParser has for its value.
  static func oneLine(_ message: String) -> String {
    var line = String(message.prefix { $0 != "\n" })
    if line.hasPrefix("Error: ") { line.removeFirst(7) }
    let missing = "Missing value for '"
    if line.hasPrefix(missing) {
      return line.dropFirst(missing.count).prefix { $0 != " " && $0 != "'" } + " needs a value"
    }
    if line.filter({ $0 == "'" }).count.isMultiple(of: 2) { line = String(line.map { $0 == "'" ? "\"" : $0 }) }
    if line.hasSuffix(".") { line.removeLast() }
    return line.prefix(1).lowercased() + line.dropFirst()
  }
}
