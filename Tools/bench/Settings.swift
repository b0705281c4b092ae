import SocketModel

/// What a run of the bench measures.
struct Settings: Sendable, Hashable {
  var portwhy = ".build/release/portwhy"
  /// The Markdown file whose generated part is replaced; nil prints it.
  var file: String?
  /// The SVG file that the chart is written to.
  var chart: String?
  var loads: [Load] = [.idle, .busy, .crowded]
  /// Rounds at most, where the loads' own numbers take too long.
  var rounds: Int?
  var callgrind = true
  /// Nothing but what `portwhy --` costs a command.
  var commandOnly = false
  /// Run by sh(1) under each load instead of measuring: a profiler, say.
  var shellCommand: String?
}

/// The command line of the bench: a run, or what a process of the load does.
enum BenchWord: Sendable, Hashable {
  case measure(Settings)
  /// Hold so many TCP sockets until standard input ends.
  case holdSockets(Int, Port)
  /// Hold so many files.
  case holdFiles(Int)
  /// Start so many programs.
  case spawn(Int)
  /// Bind a port.
  case bind(Port)
  case unknown(String)

  init(_ arguments: ArraySlice<String>) {
    var rest = arguments
    var settings = Settings()
    while let word = rest.popFirst() {
      if word == "--no-callgrind" {
        settings.callgrind = false
        continue
      }
      if word == "--command" {
        settings.commandOnly = true
        continue
      }
      guard let value = rest.popFirst() else {
        self = .unknown(word)
        return
      }
      switch word {
      case "--portwhy": settings.portwhy = value
      case "--run": settings.shellCommand = value
      case "--write": settings.file = value
      case "--chart": settings.chart = value
      case "--loads":
        let loads = value.split(separator: ",").compactMap { Load.named(String($0)) }
        guard !loads.isEmpty else {
          self = .unknown(value)
          return
        }
        settings.loads = loads
      case "--rounds": settings.rounds = Int(value).map { min(max(1, $0), 10_000) }
      case "hold-sockets":
        self = .holdSockets(Int(value) ?? 0, Port(rest.popFirst().flatMap { UInt16($0) } ?? 0))
        return
      case "hold-files":
        self = .holdFiles(Int(value) ?? 0)
        return
      case "spawn":
        self = .spawn(Int(value) ?? 0)
        return
      case "bind":
        self = .bind(Port(UInt16(value) ?? 0))
        return
      default:
        self = .unknown(word)
        return
      }
    }
    self = .measure(settings)
  }
}
