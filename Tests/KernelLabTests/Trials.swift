import BindRules
import KernelLab
import SocketModel
import Testing

/// One sentence about the kernel, as sockets and an attempt.
struct KernelFact: Sendable, CustomTestStringConvertible {
  var sentence: String
  var holders: [Holder]
  var attempt: Attempt
  var options: ReuseOptions
  var expected: String
  var port: PortKind = .ordinary
  var sysctls: [String: String] = [:]

  var testDescription: String { sentence }

  init(
    _ sentence: String, _ holders: [Holder], _ attempt: Attempt, _ options: ReuseOptions = [], _ expected: String,
    port: PortKind = .ordinary, sysctls: [String: String] = [:]
  ) {
    self.sentence = sentence
    self.holders = holders
    self.attempt = attempt
    self.options = options
    self.expected = expected
    self.port = port
    self.sysctls = sysctls
  }

  /// The trial's result in words, on a fresh copy in a namespace of its own; says so where a holder was not built.
  func observe() throws -> String {
    let scenario = Scenario(holders, attempt, port: port)
    return try NetworkNamespace.run(scenario.furniture(sysctls)) { (namespace: inout NetworkNamespace) in
      let trial = try namespace.trial(scenario, options)
      guard trial.outcomes.allSatisfy(\.isBuilt) else { return "holders: \(trial.outcomes)" }
      return trial.result.description
    }
  }
}

extension Scenario {
  /// A namespace with `dev0` and `dev1` only where the scenario uses them: they double its price.
  func furniture(_ sysctls: [String: String] = [:]) -> NamespaceConfiguration {
    let words = ["dev", "10.7", "fd7", "fe80"]
    return NamespaceConfiguration(devices: words.contains { description.contains($0) }, sysctls: sysctls)
  }
}

/// An address in a table; a text that is none becomes 0.0.0.0 of a family that no row expects to fail quietly.
func ip(_ text: String) -> IPAddress { IPAddress(text) ?? .v6(IPv6Address(high: .max, low: .max)) }

let inUse = "bind: EADDRINUSE"
let reuseaddr = ReuseOptions.reuseaddr
let reuseport = ReuseOptions.reuseport
let both: ReuseOptions = [.reuseaddr, .reuseport]

/// Kernel tests need CAP_SYS_ADMIN for the namespace; in CI they fail where they cannot run.
let kernelTestsRun = NetworkNamespace.isPermittedOrRequired
