import BindRules
import Explanation
import SocketModel

/// A port with sockets that nobody made, a host and a plan, of which the whole explanation is written down.
///
/// Its outcomes come from the rules. What is said of it stands in a golden file as somebody read it and found it right:
/// the headline, the cause, the reason, who gets the traffic, every note and every suggestion with its command.
struct MadeUp: Sendable {
  var name: String
  /// Their port and their transport are those of the plan.
  var sockets: [SocketObservation]
  var addresses = ["0.0.0.0"]
  var transport = TransportProtocol.tcp
  var port: UInt16 = 8080
  var options: ReuseOptions = []
  var v6only = false
  var device: BindDevice?
  var scope: UInt32?
  var missingZone: String?
  var uid: UInt32 = 0
  /// nil for what the uid says.
  var mayBindPrivileged: Bool?
  var host = madeUpHost()
  var visibility = Visibility()
  var isChainOrdered = false
  var buckets: [BindBucket] = []
  var nearby: NearbyPorts?
  var runtime: String?
  var questionOptions: [String] = []
  /// What `--ours` matched.
  var ours: [String]?
  /// Changes what the rules say; nil where it stays.
  var judged: (@Sendable (inout BindOutcome) -> Void)?

  init(_ name: String, _ sockets: [SocketObservation] = [], _ change: (inout MadeUp) -> Void = { _ in }) {
    self.name = name
    self.sockets = sockets
    change(&self)
    for index in self.sockets.indices {
      self.sockets[index].transport = transport
      self.sockets[index].local.port = Port(port)
      if self.sockets[index].remote?.port == Port(0) { self.sockets[index].remote?.port = Port(port) }
      if self.sockets[index].inode != nil { self.sockets[index].inode = UInt64(index + 1) }
      self.sockets[index].cookie = UInt64(index + 1)
    }
  }
}

/// A host with two interfaces and an address of each family on each, looked at by root.
func madeUpHost(uid: UInt32 = 0, sudoUID: UInt32? = nil) -> HostFacts {
  var host = HostFacts(kernel: KernelVersion(major: 6, minor: 18), uid: uid)
  host.sudoUID = sudoUID
  host.unprivilegedPortStart = 1024
  host.localPortRange = 32768...60999
  host.localReservedPorts = []
  host.ipv6Available = true
  host.bindv6only = false
  host.ipv4NonlocalBind = false
  host.ipv6NonlocalBind = false
  host.mayHaveVRFs = false
  host.tcpL3mdevAccept = false
  host.ipv4RulesAreDefault = false
  host.ipv4AbsentTables = []
  let (lo, eth0) = (InterfaceIndex(rawValue: 1), InterfaceIndex(rawValue: 2))
  host.interfaces = [
    NetworkInterface(index: lo, name: "lo", isUp: true), NetworkInterface(index: eth0, name: "eth0", isUp: true),
  ]
  host.ipv4LocalRoutes = [
    LocalRoute(destination: IPv4Address(127, 0, 0, 0), prefixLength: 8, type: .local, interface: lo),
    LocalRoute(destination: .loopback, prefixLength: 32, type: .local, interface: lo),
    LocalRoute(destination: IPv4Address(192, 0, 2, 10), prefixLength: 32, type: .local, interface: eth0),
  ]
  host.ipv6Addresses = [
    InterfaceAddress(address: ip("::1"), interface: lo, flags: 0x80),
    InterfaceAddress(address: ip("2001:db8::10"), interface: eth0, flags: 0x80),
    InterfaceAddress(address: ip("fe80::5"), interface: eth0, flags: 0x80),
  ]
  return host
}

/// A socket without its port; without holders it is nobody's, unless `owner` says otherwise. A flag that is nil is not known.
func made(
  _ state: SocketState, _ address: String, to peer: (String, UInt16)? = nil, _ holders: ProcessRecord...,
  reuseaddr: Bool? = true, reuseport: Bool? = false, v6only: Bool? = false, uid: UInt32? = 0,
  owner: SocketOwner? = nil,
  left milliseconds: UInt32? = nil, device: UInt32? = nil, change: (inout SocketObservation) -> Void = { _ in }
) -> SocketObservation {
  let owner = owner ?? (holders.isEmpty ? .none : .process)
  let reason: UnknownReason = owner == .hidden ? .hidden : owner == .kernel ? .kernel : .noOwner
  func flag(_ value: Bool?) -> Knowledge<Bool> { value.map { .known($0, .getsockopt) } ?? .unknown(reason) }
  let isNobodys = owner == .none
  // A bind to one IPv6 address sets it (`__inet6_bind`).
  let isOne = !ip(address).isUnspecified && !address.hasPrefix("::ffff:")
  var socket = SocketObservation(
    transport: .tcp, family: ip(address).family, local: Endpoint(address: ip(address), port: Port(0)),
    remote: peer.map { Endpoint(address: ip($0.0), port: Port($0.1)) }, state: state, reuseaddr: flag(reuseaddr),
    reuseport: flag(reuseport), v6only: ip(address).family == .ipv6 ? flag(isOne ? true : v6only) : nil,
    device: device.map { InterfaceIndex(rawValue: $0) }, uid: isNobodys ? nil : uid, inode: isNobodys ? nil : 1,
    timer: milliseconds.map { SocketTimer(kind: .timeWait, expires: $0) }, owner: owner, processes: holders)
  change(&socket)
  return socket
}

/// The same on 0.0.0.0, of at most one holder.
func made(
  _ state: SocketState, _ holder: ProcessRecord? = nil, reuseaddr: Bool? = true, reuseport: Bool? = false,
  uid: UInt32? = 0, owner: SocketOwner? = nil, device: UInt32? = nil,
  change: (inout SocketObservation) -> Void = { _ in }
) -> SocketObservation {
  made(
    state, "0.0.0.0", reuseaddr: reuseaddr, reuseport: reuseport, uid: uid,
    owner: owner ?? (holder == nil ? SocketOwner.none : .process), device: device
  ) {
    $0.processes = holder.map { [$0] } ?? []
    change(&$0)
  }
}

/// A process that holds a socket; its executable has its name.
func program(_ pid: Int32, _ command: String, _ change: (inout ProcessRecord) -> Void = { _ in }) -> ProcessRecord {
  var record = ProcessRecord(pid: pid, command: command, executable: "/usr/bin/\(command)", descriptors: [3])
  change(&record)
  return record
}

/// The main process of a service of its name.
func service(_ pid: Int32, _ command: String, _ change: (inout ProcessRecord) -> Void = { _ in }) -> ProcessRecord {
  program(pid, command) { record in
    record.unit = "\(command).service"
    record.unitMain = UnitMain(pid: pid, command: command, executable: "/usr/bin/\(command)")
    change(&record)
  }
}

// MARK: Who is met again and again

let nginx = program(7, "nginx")
let node = program(8, "node")
let server = program(9, "server")

let dual = ["0.0.0.0", "::"]

/// alice plans it, and is the one who asks: she may not look at everything.
func asAlice(_ row: inout MadeUp) {
  (row.uid, row.host) = (1000, madeUpHost(uid: 1000))
  row.visibility = Visibility(unreadableProcesses: 3, reasons: [.notRoot])
}

// MARK: The whole explanation

extension MadeUp {
  var situations: [Situation] {
    let snapshot = Snapshot(
      host: host, visibility: visibility, sockets: sockets, buckets: buckets, isChainOrdered: isChainOrdered,
      wildcardMissesAddresses: false)
    return addresses.map { text in
      var attempt = BindAttempt(
        transport: transport, address: ip(text), scope: scope.map { InterfaceIndex(rawValue: $0) },
        missingZone: missingZone, port: Port(port), v6only: v6only, device: device, uid: uid,
        mayBindPrivileged: mayBindPrivileged ?? (uid == 0))
      if attempt.family == .ipv4 { attempt.v6only = false }
      var outcomes = outcomes(of: attempt, in: snapshot)
      for index in outcomes.indices { judged?(&outcomes[index]) }
      return Situation(
        attempt: attempt, outcomes: outcomes, planned: options, snapshot: snapshot, nearby: nearby,
        runtime: runtime.flatMap(Runtime.init(named:)), questionOptions: questionOptions)
    }
  }

  /// Everything that is said of it, and before that what it is.
  var written: String {
    let situations = situations
    var headline = Headline(Port(port), transport, situations, at: 100_000, user: madeUpUser)
    headline.ours = ours
    let with = options.isEmpty ? "" : " with \(options.names)"
    var lines = ["# \(name)", "\(transport.rawValue) \(addresses.joined(separator: " ")) port \(port)\(with)"]
    lines += sockets.map { "  " + $0.written }
    lines += ["= " + headline.first, "= " + headline.second]
    for situation in situations {
      if situations.count > 1 { lines.append("for \(situation.attempt.plainText)") }
      lines += explain(situation).written
    }
    return lines.joined(separator: "\n") + "\n"
  }
}

func madeUpUser(_ uid: UInt32) -> String {
  [0: "root", 33: "www-data", 1000: "alice", 1001: "bob", 65534: "nobody"][uid] ?? "uid \(uid)"
}

extension SocketObservation {
  fileprivate var written: String {
    func address(_ endpoint: Endpoint) -> String { "\(endpoint.address) port \(endpoint.port)" }
    var words = ["\(state)", address(local)] + (remote.map { ["to " + address($0)] } ?? [])
    words += ["reuseaddr=\(flagText(reuseaddr))", "reuseport=\(flagText(reuseport))"]
    if let v6only { words.append("v6only=\(flagText(v6only))") }
    if let uid { words.append("uid=\(uid)") }
    if let device { words.append("device=\(device.rawValue)") }
    words.append(owner == .process ? processes.map(\.text).listed(atMost: 4) : owner.rawValue)
    return words.joined(separator: " ")
  }
}

extension Diagnosis {
  /// A line for everything that it says.
  var written: [String] {
    ["cause  \(cause?.rawValue ?? "none")"] + why.map { "why    " + $0 }
      + deliveries.map { delivery in
        let family = delivery.family.map { $0 == .ipv4 ? " IPv4" : " IPv6" } ?? ""
        return "gets   \(delivery.traffic.rawValue)\(family) \(delivery.receiver.rawValue) \(delivery.rule.rawValue)"
          + " \(delivery.sockets): \(delivery.text)"
      }
      + notes.map { "note   \($0.word.rawValue): \($0.text)" } + suggestions.map { "do     " + $0.written }
  }
}

extension Suggestion {
  fileprivate var written: String {
    let condition =
      switch certainty {
      case .checked: "checked"
      case .conditional(let condition): "if \(condition.rawValue)"
      }
    return "\(word.rawValue)\(option.map { " \($0.rawValue)" } ?? "") (\(condition)): \(text)"
      + (command.map { " $ \($0.text)" } ?? "")
  }
}
