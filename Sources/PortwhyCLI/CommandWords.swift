/// The words of a command line, sorted but not yet understood: what they mean is decided in `Invocation`.
struct CommandWords: Hashable {
  var target: String?
  var tcp = false
  var udp = false
  var ipv4 = false
  var ipv6 = false
  var reuseaddr = false
  var reuseport = false
  var v6only: Bool?
  var runtime: String?
  var device: String?
  var uid: String?
  var netns: String?
  var probe = false
  var numeric = false
  var deep = false
  var noBPF = false
  var wait = false
  var timeout: String?
  var watch = false
  var interval: String?
  var from: String?
  var json = false
  var quiet = false
  var verbose = false
  var color: String?
  var explain = false
  var version = false
  var help = false
  var afterTerminator: [String] = []

  /// The options that were given, each by the name that --help has first, in the order of --help.
  var given: [String] {
    let all: [(String, Bool)] = [
      ("-t", tcp), ("-u", udp), ("-4", ipv4), ("-6", ipv6), ("--reuseaddr", reuseaddr), ("--reuseport", reuseport),
      ("--v6only", v6only == true), ("--no-v6only", v6only == false), ("--runtime", runtime != nil),
      ("--device", device != nil), ("--uid", uid != nil), ("--netns", netns != nil), ("--probe", probe),
      ("--deep", deep), ("--no-bpf", noBPF), ("--wait", wait), ("--timeout", timeout != nil), ("--watch", watch),
      ("--interval", interval != nil), ("--from", from != nil), ("--json", json), ("-q", quiet), ("-v", verbose),
      ("-n", numeric), ("--color", color != nil), ("--explain", explain), ("--version", version), ("-h", help),
    ]
    return all.filter(\.1).map(\.0)
  }

  /// The first of these options that was given; nil where none was.
  func first(of names: Set<String>) -> String? { given.first(where: names.contains) }

  /// Each option once is forty words.
  static let mostWords = 500

  /// Reads the words after the program's name.
  ///
  /// A lone TARGET, the most frequent command line, has no options to read: ArgumentParser would spend more time on
  /// saying so than portwhy on the answer.
  static func reading(_ arguments: [String]) throws(UsageError) -> CommandWords {
    // ArgumentParser's time grows with the square of the words: 100,000 of them, which fit, would take minutes.
    if arguments.count > mostWords { throw UsageError("\(arguments.count) words are more than \(mostWords)") }
    guard let word = arguments.first else { return CommandWords() }
    if arguments.count == 1, !word.hasPrefix("-") { return CommandWords(target: word) }
    return CommandWords(try PortwhyOptions.reading(arguments))
  }
}

extension CommandWords {
  /// What ArgumentParser found.
  init(_ options: PortwhyOptions) {
    target = options.target
    tcp = options.tcp
    udp = options.udp
    ipv4 = options.ipv4
    ipv6 = options.ipv6
    reuseaddr = options.reuseaddr
    reuseport = options.reuseport
    v6only = options.v6only
    runtime = options.runtime
    device = options.device
    uid = options.uid
    netns = options.netns
    probe = options.probe
    numeric = options.numeric
    deep = options.deep
    noBPF = options.noBPF
    wait = options.wait
    timeout = options.timeout
    watch = options.watch
    interval = options.interval
    from = options.from
    json = options.json
    quiet = options.quiet
    verbose = options.verbose
    color = options.color
    explain = options.explain
    version = options.version
    help = options.help
    afterTerminator = options.afterTerminator
  }
}
