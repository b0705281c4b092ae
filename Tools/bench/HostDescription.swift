/// Where and when the figures were taken.
struct HostDescription: Sendable {
  var lines: [String]

  init() {
    let processor = Self.value(of: "model name", in: "/proc/cpuinfo") ?? "unknown processor"
    let cores = SystemCalls.text(ofFile: "/proc/cpuinfo").split(separator: "\n").count { $0.hasPrefix("processor") }
    let kibibytes = Self.value(of: "MemTotal", in: "/proc/meminfo").flatMap { $0.split(separator: " ").first }
    let memory = kibibytes.flatMap { Int($0) }.map { "\($0 / 1_048_576) GiB" } ?? "unknown memory"
    let release = SystemCalls.text(ofFile: "/proc/sys/kernel/osrelease").split(separator: "\n").first ?? "unknown"
    let system = Self.value(of: "PRETTY_NAME", in: "/etc/os-release", "=") ?? "unknown system"
    lines = [
      "Taken \(SystemCalls.date()) UTC on \(cores) cores of \(processor), \(memory), Linux \(release), "
        + "\(system.filter { $0 != "\"" }), as root."
    ]
  }

  /// The first `name: value` of a file of such lines.
  private static func value(of name: String, in file: String, _ separator: Character = ":") -> String? {
    for line in SystemCalls.text(ofFile: file).split(separator: "\n") where line.hasPrefix(name) {
      return line.split(separator: separator, maxSplits: 1).last.map { String($0.drop { $0 == " " || $0 == "\t" }) }
    }
    return nil
  }
}
