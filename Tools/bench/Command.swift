/// What is asked about.
enum Subject: String, Sendable, Hashable, CaseIterable {
  case listener = "a listener's port"
  /// What a server at work looks like.
  case server = "a listener's port with 50 connections and 50 sockets in TIME_WAIT"
  case timeWait = "a port with only TIME_WAIT"
  case free = "a free port"
  /// No port: everything there is.
  case overview = "no port: the overview"

  /// No socket of a load uses these.
  var port: UInt16 {
    switch self {
    case .listener: 8080
    case .timeWait: 8081
    case .free: 8082
    case .server: 8083
    case .overview: 0
    }
  }
}

/// Who is asked.
enum Tool: String, Sendable, Hashable, CaseIterable {
  case portwhy
  case portwhyQuietly = "portwhy -q"
  case portwhyAsJSON = "portwhy --json"
  case portwhyWithoutBPF = "portwhy --no-bpf"
  case ssWithOwners = "ss -tanp"
  case ss = "ss -tan"
  case lsof = "lsof -nP"
  case fuser

  var isPortwhy: Bool { rawValue.hasPrefix(Tool.portwhy.rawValue) }
}

/// One command line that is timed.
struct Command: Sendable, Hashable {
  var tool: Tool
  var subject: Subject

  /// lsof and fuser name processes only: they are asked where there is one. The overview has no use for BPF.
  static let all: [Command] = Subject.allCases.flatMap { subject in
    let tools: [Tool] =
      switch subject {
      case .listener: [.portwhy, .portwhyWithoutBPF, .ssWithOwners, .ss, .lsof, .fuser]
      case .server: Tool.allCases
      case .timeWait, .free: [.portwhy, .portwhyWithoutBPF, .ssWithOwners, .ss]
      case .overview: [.portwhy, .ssWithOwners, .ss]
      }
    return tools.map { Command(tool: $0, subject: subject) }
  }

  /// As a user types it.
  var text: String {
    words(portwhy: "portwhy").map { $0.contains(" ") ? "'\($0)'" : $0 }.joined(separator: " ")
  }

  func words(portwhy: String) -> [String] {
    let program = tool.rawValue.split(separator: " ").map { $0 == "portwhy" ? portwhy : String($0) }
    guard subject != .overview else { return program }
    return switch tool {
    case .portwhy, .portwhyQuietly, .portwhyAsJSON, .portwhyWithoutBPF: program + ["\(subject.port)"]
    case .ssWithOwners, .ss: program + ["sport = :\(subject.port)"]
    case .lsof: program + ["-iTCP:\(subject.port)"]
    case .fuser: program + ["\(subject.port)/tcp"]
    }
  }

  /// The exit status of the right answer: nothing can be bound where something listens, nor over TIME_WAIT without
  /// options.
  var rightStatus: Int32 {
    tool.isPortwhy && [.listener, .server, .timeWait].contains(subject) ? 1 : 0
  }
}
