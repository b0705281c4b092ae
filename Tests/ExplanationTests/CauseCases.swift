import BindRules
import Glibc
@testable import KernelLab
import Explanation
import Answers
import SocketModel
import Testing

/// One cause or note, produced for real in a namespace; its name is the name of its golden file.
struct CauseCase: Sendable, CustomTestStringConvertible {
  var name: String
  /// Of one of the attempts; nil where only a note names the matter.
  var cause: Cause?
  var note: Note.Kind?
  var holders: [Holder] = []
  var transport: TransportProtocol = .tcp
  /// nil for both wildcards.
  var addresses: [String]? = ["0.0.0.0"]
  var zone: String?
  var options: ReuseOptions = []
  var v6only: Bool?
  var device: String?
  var uid: UInt32 = 0
  var port = PortKind.ordinary
  /// Sysctls that are set once the sockets are there.
  var sysctls: [String: String] = [:]
  var isTentative = false
  /// Whether a user without privilege asks.
  var asNobody = false
  /// Whether another program holds a socket that this one made, and whether this one keeps it.
  var child: Child?

  enum Child { case reservedClient, inherits, sharesByReuseport, hidesListener, hidesConnection }

  var testDescription: String { name }

  func question(_ port: Port) -> Question {
    let asked: [QuestionAddress] = (addresses ?? []).map { .address(ip($0), zone: zone) }
    let item = QuestionItem(
      addresses: addresses == nil ? [.wildcard] : asked, ports: port...port, transport: transport)
    var question = Question(items: [item], plan: Plan(options: options, v6only: v6only, device: device, uid: uid))
    // The screens are those of a host without BPF, so that they are the same everywhere.
    question.usesBPF = false
    return question
  }
}

private let any = ip("0.0.0.0")
private let a = ip("127.0.0.1")

let causeCases: [CauseCase] = [
  CauseCase(
    name: "ipv6-disabled", cause: .familyDisabled, addresses: ["::1"],
    sysctls: ["ipv6/conf/all/disable_ipv6": "1"]),
  CauseCase(
    name: "listener", cause: .listener, holders: [Holder(.listening, .tcp, any, options: reuseaddr)], addresses: nil),
  CauseCase(
    name: "listener-reuseport", cause: .listener, holders: [Holder(.listening, .tcp, any, options: reuseport)]),
  CauseCase(name: "bound-not-listening", cause: .boundNotListening, holders: [Holder(.bound, .tcp, any)]),
  CauseCase(
    name: "listen-race", note: .listenRace, holders: [Holder(.bound, .tcp, any, options: reuseaddr)],
    options: reuseaddr),
  CauseCase(
    name: "udp-socket", cause: .udpSocket, holders: [Holder(.bound, .udp, any, options: reuseaddr)], transport: .udp),
  CauseCase(
    name: "wildcard-overlap", cause: .wildcardOverlap, holders: [Holder(.bound, .udp, ip("127.0.0.53"))],
    transport: .udp),
  CauseCase(
    name: "wildcard-overlap-reverse", cause: .wildcardOverlap,
    holders: [Holder(.listening, .tcp, any, options: reuseaddr)], addresses: ["127.0.0.1"], options: reuseaddr),
  CauseCase(
    name: "dual-stack-overlap", cause: .dualStackOverlap,
    holders: [Holder(.listening, .tcp, ip("::"), options: reuseaddr, v6only: false)]),
  CauseCase(
    name: "dual-stack-overlap-reverse", cause: .dualStackOverlap,
    holders: [Holder(.listening, .tcp, any, options: reuseaddr)], addresses: ["::"], v6only: false),
  CauseCase(name: "inherited-descriptor", cause: .inheritedDescriptor, child: .inherits),
  CauseCase(
    name: "time-wait", cause: .timeWait,
    holders: [Holder(.child(.timeWait, listenerStays: false), .tcp, a, options: reuseaddr)]),
  CauseCase(
    name: "time-wait-reuseaddr", cause: .timeWait,
    holders: [Holder(.child(.timeWait, listenerStays: false), .tcp, a, options: reuseaddr)], options: reuseaddr),
  CauseCase(
    name: "leftover-connection", cause: .leftoverConnection,
    holders: [Holder(.child(.closeWait, listenerStays: false), .tcp, a, options: reuseaddr)]),
  CauseCase(
    name: "leftover-orphan", cause: .leftoverConnection,
    holders: [Holder(.child(.finWait1Orphan, listenerStays: false), .tcp, a, options: reuseaddr)]),
  CauseCase(
    name: "leftover-fin-wait2", cause: .leftoverConnection,
    holders: [Holder(.child(.finWait2TimeWait, listenerStays: false), .tcp, a, options: reuseaddr)]),
  CauseCase(
    name: "leftover-dual-stack-connection", cause: .leftoverDualStackConnection,
    holders: [
      Holder(.child(.established, listenerStays: false), .tcp, ip("::"), v6only: false, peer: ip("::1"))
    ]),
  CauseCase(
    name: "option-set-late", cause: .listener, note: .optionSetLate,
    holders: [
      Holder(
        .child(.established, listenerStays: true), .tcp, any, peer: a, changes: [Change(.end, .reuseaddr(true))])
    ], options: reuseaddr),
  CauseCase(
    name: "outgoing-connection", cause: .outgoingConnection,
    holders: [Holder(.client(.established), .tcp, a, port: .automatic)],
    sysctls: ["ipv4/ip_local_port_range": "2000 2999"]),
  CauseCase(name: "reserved-port-client", cause: .reservedPortClient, child: .reservedClient),
  CauseCase(
    name: "connected-udp", cause: .connectedUDP, holders: [Holder(.connected, .udp, a)], transport: .udp),
  CauseCase(
    name: "self-connection", cause: .selfConnection, holders: [Holder(.selfConnected, .tcp, a)],
    sysctls: ["ipv4/ip_local_port_range": "2000 2999"]),
  CauseCase(
    name: "reuseport-missing", cause: .reuseportMissing, holders: [Holder(.listening, .tcp, any, options: reuseaddr)],
    options: reuseport),
  CauseCase(
    name: "reuseport-other-user", cause: .reuseportOtherUser,
    holders: [Holder(.listening, .tcp, any, options: reuseport, uid: 1000)], options: reuseport),
  CauseCase(
    name: "udp-mixed-options", cause: .udpMixedOptions, holders: [Holder(.bound, .udp, any, options: reuseport)],
    transport: .udp, options: reuseaddr),
  CauseCase(
    name: "depends-on-order", cause: .dependsOnOrder, holders: [Holder(.bound, .tcp, a, options: reuseaddr)],
    options: reuseport),
  CauseCase(
    name: "hidden", cause: .hidden, options: reuseaddr, uid: 65534, asNobody: true, child: .hidesConnection),
  CauseCase(
    name: "hidden-owner", cause: .listener, note: .hiddenOwner, uid: 65534, asNobody: true,
    child: .hidesListener),
  CauseCase(
    name: "shared-port", cause: .sharedPort, holders: [Holder(.listening, .tcp, any, options: reuseport)],
    options: reuseport),
  CauseCase(
    name: "shared-port-specific", cause: .sharedPort, holders: [Holder(.bound, .udp, any, options: reuseaddr)],
    transport: .udp, addresses: ["127.0.0.1"], options: reuseaddr),
  CauseCase(
    name: "unrelated-sharing", cause: .listener, note: .unrelatedSharing,
    holders: [Holder(.listening, .tcp, any, options: reuseport)], child: .sharesByReuseport),
  CauseCase(
    name: "ephemeral-port", note: .ephemeralPort, sysctls: ["ipv4/ip_local_port_range": "2000 2999"]),
  CauseCase(name: "privileged-port", cause: .privilegedPort, uid: 1000, port: .privileged),
  CauseCase(name: "address-not-local", cause: .addressNotLocal, addresses: ["203.0.113.1"]),
  // No other address is named where the bind would fail once more.
  CauseCase(
    name: "address-not-local-taken", cause: .addressNotLocal, holders: [Holder(.listening, .tcp, any)],
    addresses: ["203.0.113.1"]),
  CauseCase(
    name: "address-not-local-beside", cause: .addressNotLocal, holders: [Holder(.listening, .tcp, a)],
    addresses: ["203.0.113.1"]),
  CauseCase(name: "address-on-other-device", cause: .addressOnOtherDevice, addresses: ["::1"], device: "dev0"),
  CauseCase(name: "address-tentative", cause: .addressTentative, addresses: ["fd55::1"], isTentative: true),
  CauseCase(name: "device-missing", cause: .deviceMissing, device: "nodev0"),
  CauseCase(name: "multicast-tcp", cause: .multicastTCP, addresses: ["ff02::1"], zone: "dev0"),
  CauseCase(name: "scope-missing", cause: .scopeMissing, addresses: ["fe80::77"]),
  CauseCase(name: "mapped-on-v6only", cause: .mappedOnV6only, addresses: ["::ffff:127.0.0.1"], v6only: true),
]
