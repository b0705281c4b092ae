import BindRules
import KernelLab
import SocketModel

// The tables' notation. A holder: `[udp] WHAT ADDRESS WORDS`, where WHAT is bound, listening, child, child-only (its
// listener is gone), queued, timewait, timewait-only, client, auto-client, connected, visitor, selfconnect, refused,
// mptcp-listening; WORDS are RA, RP, V6ONLY, DUAL, uid=N, accept=N, dev=NAME, peer=ADDRESS, and a change as
// MOMENT:RA=0. An attempt: `[udp] ADDRESS` with V6ONLY, DUAL, uid=N and dev=NAME.

func ip(_ text: String) -> IPAddress { IPAddress(text) ?? .v6(IPv6Address(high: .max, low: .max)) }

private struct Words {
  var transport = TransportProtocol.tcp
  var plain: [String] = []
  var values: [String: String] = [:]
  var changes: [Change] = []
  var options: ReuseOptions = []
  var v6only: Bool?

  init(_ text: String) {
    for word in text.split(separator: " ").map(String.init) {
      switch word {
      case "udp": transport = .udp
      case "RA": options.insert(.reuseaddr)
      case "RP": options.insert(.reuseport)
      case "V6ONLY": v6only = true
      case "DUAL": v6only = false
      default:
        let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
        let moment = word.split(separator: ":", maxSplits: 1).first.flatMap { ChangeMoment(rawValue: String($0)) }
        if let moment, parts.count == 2 {
          if let change = Self.change(moment, parts[0].dropFirst(moment.rawValue.count + 1), parts[1]) {
            changes.append(change)
          }
        } else if parts.count == 2 {
          values[parts[0]] = parts[1]
        } else {
          plain.append(word)
        }
      }
    }
  }

  private static func change(_ moment: ChangeMoment, _ name: Substring, _ value: String) -> Change? {
    switch name {
    case "RA": Change(moment, .reuseaddr(value == "1"))
    case "RP": Change(moment, .reuseport(value == "1"))
    case "owner": UInt32(value).map { Change(moment, .owner($0)) }
    case "dev": Change(moment, .device(LabDevice(rawValue: value)))
    default: nil
    }
  }

  var uid: UInt32 { values["uid"].flatMap(UInt32.init) ?? 0 }
  var device: LabDevice? { values["dev"].flatMap(LabDevice.init(rawValue:)) }
}

private let kinds: [String: HolderKind] = [
  "bound": .bound, "listening": .listening, "mptcp-listening": .listening, "queued": .queuedChild,
  "child": .child(.established, listenerStays: true), "child-only": .child(.established, listenerStays: false),
  "timewait": .child(.timeWait, listenerStays: true), "timewait-only": .child(.timeWait, listenerStays: false),
  "orphan-only": .child(.finWait2Orphan, listenerStays: false), "client": .client(.established),
  "mptcp-child-only": .child(.established, listenerStays: false),
  "auto-client": .client(.established), "auto-timewait": .client(.timeWait), "connected": .connected,
  "disconnected": .disconnected, "visitor": .visitor, "selfconnect": .selfConnected, "refused": .refused,
  "neighbours": .neighbours(12),
]

func holder(_ text: String) -> Holder {
  let words = Words(text)
  let name = words.plain.first ?? ""
  var holder = Holder(
    kinds[name] ?? .bound, name.hasPrefix("mptcp") ? .mptcp : words.transport == .udp ? .udp : .tcp,
    ip(words.plain.last ?? ""))
  holder.options = words.options
  holder.v6only = words.v6only
  holder.uid = words.uid
  holder.acceptUID = words.values["accept"].flatMap(UInt32.init) ?? words.uid
  holder.device = words.device
  holder.peer = words.values["peer"].flatMap { IPAddress($0) }
  holder.changes = words.changes
  if name.hasPrefix("auto") { holder.port = .automatic }
  return holder
}

func attempt(_ text: String) -> Attempt {
  let words = Words(text)
  return Attempt(
    words.transport, ip(words.plain.last ?? ""), v6only: words.v6only, device: words.device, uid: words.uid)
}

/// What a trial or a prediction comes to: `ok`, `in-use`, `listen` where only listen(2) says EADDRINUSE, another
/// errno, `?` where the order of earlier binds is missing, `??` for anything else undetermined.
func word(_ result: TrialResult) -> String {
  switch result {
  case .works: "ok"
  case .fails(let failure, _) where failure.error == .addressInUse: failure.call == .listen ? "listen" : "in-use"
  case .fails(let failure, _): failure.error.description
  }
}

func word(_ outcome: BindOutcome) -> String {
  switch (outcome.bind, outcome.listen) {
  case (.undetermined, _), (_, .undetermined?):
    return outcome.missing.contains { $0.kind == .bindOrder } ? "?" : "??"
  case (.ok, .fails(let errno)): return errno == .addressInUse ? "listen" : errno.description
  case (.fails(let errno), _): return errno == .addressInUse ? "in-use" : errno.description
  default: return "ok"
  }
}

/// Kernel tests need CAP_SYS_ADMIN for the namespace; in CI they fail where they cannot run.
let kernelTestsRun = NetworkNamespace.isPermittedOrRequired
