import BindRules
import KernelLab
import SocketModel

/// Everything about one scenario: what was built, what portwhy saw and said, what the kernel did.
func verboseText(_ scenario: Scenario, _ result: ScenarioResult, number: UInt64) -> String {
  var lines = ["scenario \(number): \(scenario)"]
  switch result {
  case .unstable: lines.append("  the copies did not come out alike")
  case .noAnswer(let reason): lines.append("  no answer: \(reason)")
  case .compared(let comparisons, let answer, let built):
    lines.append("  built: \(built.count) of \(scenario.holders.count) holders")
    lines += answer.sockets.map { "  sees   \($0)" }
    for comparison in comparisons {
      lines.append(
        "  \(optionsText(comparison.options)): says \(outcomeText(comparison.predicted)), kernel "
          + "\(comparison.actual): \(comparison.result)"
          + (comparison.likelyIsRight == false && comparison.result == .undetermined ? ", not as likely" : ""))
    }
  }
  return lines.joined(separator: "\n")
}

/// `tcp child time-wait, listener gone` and the like.
func kindName(_ transport: HolderProtocol, _ kind: HolderKind) -> String {
  let name =
    switch kind {
    case .child(let state, let stays): "child \(state.rawValue)\(stays ? "" : ", listener gone")"
    case .client(let state): "client \(state.rawValue)"
    case .crowd(let count): "crowd of \(count)"
    case .spread(let count): "spread of \(count)"
    case .neighbours(let count): "\(count) neighbours in the slot"
    default: kind.description
    }
  return "\(transport.rawValue) \(name)"
}

/// What sort of address an attempt binds.
func addressClass(_ attempt: Attempt) -> String {
  let name =
    switch attempt.address {
    case .v4(let address): ipv4Class(address)
    case .v6(let address):
      if let mapped = address.mapped { "mapped \(ipv4Class(mapped))" } else { ipv6Class(address) }
    }
  return "\(attempt.transport.rawValue) \(name)"
}

private func ipv4Class(_ address: IPv4Address) -> String {
  if address == .any { return "0.0.0.0" }
  if address.isMulticast { return "IPv4 multicast" }
  switch address.description {
  case "255.255.255.255", "10.77.0.255", "10.77.0.0": return "IPv4 broadcast and network"
  case "10.77.0.1", "10.78.0.1": return "an interface's IPv4 address"
  default: return address.bits >> 24 == 127 ? "127.x" : "an IPv4 address of nobody"
  }
}

private func ipv6Class(_ address: IPv6Address) -> String {
  if address == .any { return "::" }
  if address == .loopback { return "::1" }
  if address.isMulticast { return "IPv6 multicast" }
  if address.isLinkLocal { return "IPv6 link-local" }
  switch address.description {
  case "fd77::7e": return "tentative IPv6 address"
  case "fd77::1", "fd78::1": return "an interface's IPv6 address"
  default: return "an IPv6 address of nobody"
  }
}

func optionsText(_ options: ReuseOptions) -> String {
  switch options {
  case []: "none"
  case .reuseaddr: "SO_REUSEADDR"
  case .reuseport: "SO_REUSEPORT"
  default: "both"
  }
}

func outcomeText(_ outcome: BindOutcome) -> String {
  switch (outcome.bind, outcome.listen) {
  case (.undetermined, _):
    "undetermined (\(outcome.missing.map(\.kind.rawValue).joined(separator: ", ")))"
      + (outcome.likely.map { likely in
        let words = likely.assuming.map(\.rawValue).joined(separator: ", ")
        return
          ", likely \(outcomeText(BindOutcome(options: [], bind: likely.bind, listen: likely.listen))) by \(words)"
      } ?? "")
  case (.ok, .fails(let errno)): "listen \(errno)"
  case (.fails(let errno), _): "bind \(errno)"
  default: "ok"
  }
}
