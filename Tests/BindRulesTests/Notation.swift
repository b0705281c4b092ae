import BindRules
import SocketModel

// A short notation for the tables: `LISTEN 127.0.0.1 RA RP`, `TIME_WAIT ::1 ra? rp?`, `UDP 0.0.0.0 uid=5 dev=2`.
// Words: the state (or UDP, UDP-CONNECTED), the address, RA and RP for a flag that is set, `ra?` and `rp?` for an unknown one,
// `ra~` and `rp~` for one that is set as far as another socket tells, V6ONLY, `v6only?` and `v6only~`, `uid=N`, `uid?`, `dev=N`, `domain=N`, `inode=N`, `remote=PORT`, `port=PORT`.

let port = Port(8080)

func socket(_ text: String) -> SocketObservation {
  let words = text.split(separator: " ").map(String.init)
  let transport: TransportProtocol = words[0].hasPrefix("UDP") ? .udp : .tcp
  let state: SocketState =
    switch words[0] {
    case "UDP": .close
    case "UDP-CONNECTED": .established
    default: SocketState(name: words[0]) ?? .close
    }
  let address = IPAddress(words[1]) ?? .v4(.any)
  func number(_ name: String) -> UInt32? {
    words.first { $0.hasPrefix(name + "=") }.flatMap { UInt32($0.dropFirst(name.count + 1)) }
  }
  func flag(_ set: String, _ unknown: String) -> Knowledge<Bool> {
    if words.contains(unknown.dropLast() + "~") { return .inferred(true, from: 1, because: .noOwner) }
    return words.contains(unknown) ? .unknown(.hidden) : .known(words.contains(set), .getsockopt)
  }
  let isTimeWait = state == .timeWait || words.contains("tw")
  var observation = SocketObservation(
    transport: transport, family: address.family, local: Endpoint(address: address, port: port), state: state,
    reuseaddr: flag("RA", "ra?"), reuseport: flag("RP", "rp?"),
    v6only: address.family == .ipv4 ? nil : flag("V6ONLY", "v6only?"),
    device: number("dev").flatMap(InterfaceIndex.init(kernel:)),
    uid: isTimeWait || words.contains("uid?") ? nil : number("uid") ?? (words[0] == "SYN_RECV" ? nil : 1000),
    timer: isTimeWait ? SocketTimer(kind: .timeWait, expires: 41_000) : nil)
  observation.bucketDomain = number("domain")
  observation.inode = number("inode").map { UInt64($0) }
  if let peer = number("remote") { observation.remote = Endpoint(address: address, port: Port(UInt16(peer))) }
  // The port that a client has, or a service, counts for what the socket is, not for the bind.
  if let own = number("port") { observation.local.port = Port(UInt16(own)) }
  return observation
}

/// The planned socket: an address and, if wanted, V6ONLY, `uid=N`, `dev=N`; UDP first for UDP.
func attempt(_ text: String) -> BindAttempt {
  var words = text.split(separator: " ").map(String.init)
  let transport: TransportProtocol = words[0] == "UDP" ? .udp : .tcp
  if transport == .udp { words.removeFirst() }
  func number(_ name: String) -> UInt32? {
    words.first { $0.hasPrefix(name + "=") }.flatMap { UInt32($0.dropFirst(name.count + 1)) }
  }
  return BindAttempt(
    transport: transport, address: IPAddress(words[0]) ?? .v4(.any), port: port, v6only: words.contains("V6ONLY"),
    device: number("dev").map { .interface(InterfaceIndex(rawValue: $0), name: "dev\($0)") },
    uid: number("uid") ?? 1000)
}

/// A host on which nothing stands in the way before the port is looked at.
func openHost(kernel: KernelVersion = KernelVersion(major: 6, minor: 18, stable: 44, release: "6.18.44")) -> HostFacts
{
  var host = HostFacts(kernel: kernel, uid: 0)
  host.unprivilegedPortStart = 1024
  host.ipv4NonlocalBind = true
  host.ipv6NonlocalBind = true
  host.ipv6Available = true
  host.tcpL3mdevAccept = false
  host.mayHaveVRFs = false
  host.interfaces = [1, 2, 3].map {
    NetworkInterface(index: InterfaceIndex(rawValue: $0), name: "dev\($0)", isUp: true)
  }
  return host
}

/// `none/RA/RP/both` as one line: `ok`, an errno, `?` for undetermined; `+errno` where only listen(2) fails.
func line(_ attempt: BindAttempt, _ sockets: [SocketObservation], host: HostFacts = openHost()) -> String {
  words(outcomes(of: attempt, in: Snapshot(host: host, sockets: sockets)))
}

/// The same of outcomes.
func words(_ outcomes: [BindOutcome]) -> String {
  outcomes.map { outcome in
    switch (outcome.bind, outcome.listen) {
    case (.ok, .fails(let errno)): "+\(errno)"
    case (.ok, _): "ok"
    case (.fails(let errno), _): errno == .addressInUse ? "in-use" : errno.description
    case (.undetermined, _): "?"
    }
  }.joined(separator: " ")
}
