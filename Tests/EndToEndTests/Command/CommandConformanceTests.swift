import BindRules
import Glibc
import JSONTestSupport
import KernelLab
import SocketModel
import Testing

@Suite(
  "A call that fails beside random sockets",
  .enabled(if: endToEndTestsRun && commandModeRuns, "needs CAP_SYS_ADMIN and 5.19"))
struct CommandConformanceTests {
  /// PORTWHY_TRUTH_SCENARIOS has more of them tried.
  private static let count = getenv("PORTWHY_TRUTH_SCENARIOS").flatMap { UInt64(String(cString: $0)) } ?? 40

  @Test("is explained by a cause that gives its very errno, and one that works is not spoken of")
  func truth() throws {
    var wrong: [String] = []
    var failures = 0
    var number: UInt64 = 0
    while number < Self.count {
      try NetworkNamespace.run { namespace in
        while number < Self.count, namespace.portsLeft(.ordinary) > 8, namespace.portsLeft(.privileged) > 8 {
          let scenario = ScenarioGenerator.scenario(seed: 18, number: number)
          let options = ReuseOptions.combinations[Int(number % 4)]
          number += 1
          let built = try namespace.build(scenario)
          let real = built.tryBind(options)
          let reports = try CommandReports(scenario.attempt.command(options, port: built.port))
          failures += reports.calls.count
          wrong += problems(reports, real).map { "number \(number - 1), \(options.socketOptions): \($0)" }
        }
      }
    }
    #expect(wrong == [])
    #expect(failures > Int(Self.count) / 4)
  }

  private func problems(_ reports: CommandReports, _ real: TrialResult) -> [String] {
    // setsockopt(2) fails before there is a bind.
    if reports.ending.status == 5 { return reports.calls.isEmpty ? [] : ["a report without a call"] }
    let failed: String?
    switch (real.bind, real.listen) {
    case (.fails(let errno), _): failed = "bind \(errno)"
    case (_, .fails(let errno)?): failed = "listen \(errno)"
    default: failed = nil
    }
    guard let failed else { return reports.lines.isEmpty ? [] : ["works, and is said to fail: \(reports.lines)"] }
    guard reports.lines.count == 1, let line = reports.lines.first, line.hasPrefix(failed + " ") else {
      return ["the kernel says \(failed), portwhy \(reports.lines), the program \(reports.ending.errors)"]
    }
    let unexplained: [String?] = [nil, "gone-meanwhile", "refused-by-policy", "already-bound"]
    let cause = reports.causes.first ?? nil
    let said = (try? reports.problems()) ?? ["no schema"]
    return unexplained.contains(cause) ? said + ["\(line): cause \(cause ?? "none")"] : said
  }
}

extension Attempt {
  /// The attempt as a program makes it.
  fileprivate func command(_ options: ReuseOptions, port: Port) -> [String] {
    var words = mayBindPrivileged ? [] : ["/usr/bin/setpriv", "--bounding-set=-net_bind_service"]
    words += [binder, transport == .tcp ? "-l" : "-u", "-U", "\(uid)"]
    if options.contains(.reuseaddr) { words.append("-r") }
    if options.contains(.reuseport) { words.append("-p") }
    if address.family == .ipv6 { words.append("-6") }
    if address.family == .ipv6, let v6only { words += ["-v", v6only ? "1" : "0"] }
    if let device { words += ["-D", device.rawValue] }
    return words + ["\(address)\(scope.map { "%\($0.rawValue)" } ?? "")", "\(port)"]
  }
}
