import BindRules
import SocketModel
import Testing

@testable import Explanation

private func host(uid: UInt32 = 0) -> HostFacts {
  var host = HostFacts(kernel: KernelVersion(major: 6, minor: 18), uid: uid)
  host.unprivilegedPortStart = 1024
  host.localPortRange = 32768...60999
  host.localReservedPorts = []
  host.interfaces = []
  host.ipv6Available = true
  return host
}

private func held(
  _ state: SocketState, port: UInt16 = 8080, remote: UInt16? = nil, owner: SocketOwner = .process, pid: Int32 = 9,
  inode: UInt64? = 1, transport: TransportProtocol = .tcp
) -> SocketObservation {
  SocketObservation(
    transport: transport, family: .ipv4, local: Endpoint(address: .v4(.loopback), port: Port(port)),
    remote: remote.map { Endpoint(address: .v4(.loopback), port: Port($0)) }, state: state,
    reuseaddr: .known(true, .getsockopt), reuseport: .known(false, .getsockopt), uid: 0, inode: inode, owner: owner,
    processes: owner == .process ? [ProcessRecord(pid: pid, command: "server", descriptors: [3])] : [])
}

private func diagnosis(
  _ sockets: [SocketObservation], _ options: ReuseOptions = [], port: UInt16 = 8080, host: HostFacts = host(),
  visibility: Visibility = Visibility(), transport: TransportProtocol = .tcp, nearby: NearbyPorts? = nil
) -> Diagnosis {
  let attempt = BindAttempt(
    transport: transport, address: .v4(.any), port: Port(port), v6only: false, uid: 0, mayBindPrivileged: true)
  let snapshot = Snapshot(host: host, visibility: visibility, sockets: sockets)
  return explain(
    Situation(
      attempt: attempt, outcomes: outcomes(of: attempt, in: snapshot), planned: options, snapshot: snapshot,
      nearby: nearby))
}

@Suite("What is said of sockets")
struct SituationTests {
  @Test(
    "a manager that hands sockets over on purpose has bequeathed nothing",
    arguments: ["systemd", "docker-proxy", "dockerd", "conmon", "rootlessport", "containerd"])
  func managers(_ manager: String) {
    var socket = held(.listen)
    socket.processes = [
      ProcessRecord(pid: 70, command: manager, executable: "/usr/bin/\(manager)", descriptors: [3]),
      ProcessRecord(pid: 90, command: "web", executable: "/usr/bin/web", descriptors: [3]),
    ]
    #expect(socket.inheritance == nil)
    socket.processes[0].command = "starter"
    #expect(socket.inheritance != nil)
  }

  @Test(
    "a hidden holder of a port that the kernel usually has is guessed at in a note",
    arguments: [2049: "nfsd", 4789: "VXLAN", 6081: "GENEVE", 8472: "VXLAN", 51820: "WireGuard", 8848: "IPVS"])
  func hiddenGuess(_ port: UInt16, _ word: String) {
    let socket = held(.close, port: port, owner: .hidden, transport: .udp)
    let notes = diagnosis([socket], port: port, transport: .udp).notes
    #expect(notes.first { $0.kind == .hiddenGuess }?.text.contains(word) == true)
    let other = diagnosis([held(.close, owner: .hidden, transport: .udp)], transport: .udp).notes
    #expect(!other.contains { $0.kind == .hiddenGuess })
  }

  @Test("a connection is a client's where no listener took it, either port tells, and somebody holds it")
  func outgoing() {
    #expect(diagnosis([held(.established, port: 40000, remote: 443)], port: 40000).cause == .outgoingConnection)
    #expect(diagnosis([held(.established, remote: 50000)]).cause == .leftoverConnection, "no port of clients")
    #expect(diagnosis([held(.established, remote: 443)]).cause == .outgoingConnection, "the peer is a service")
    let reserved = held(.established, port: 993, remote: 2049)
    #expect(diagnosis([reserved], port: 993).cause == .reservedPortClient)
    let orphan = held(.finWait1, port: 40000, remote: 443, owner: .none, inode: nil)
    #expect(diagnosis([orphan], port: 40000).cause == .leftoverConnection, "nobody holds it")
    let listens = [held(.established, port: 40000, remote: 443), held(.listen, port: 40000)]
    #expect(diagnosis(listens, port: 40000).cause != .outgoingConnection, "its server listens")
  }

  @Test("every state is something to who wants the port")
  func roles() {
    func role(_ socket: SocketObservation, beside others: [SocketObservation] = []) -> SocketRole {
      SocketRole(socket, in: Snapshot(host: host(), sockets: [socket] + others))
    }
    #expect(role(held(.listen)) == .listener && role(held(.close)) == .bound)
    #expect(role(held(.close, transport: .udp)) == .udp && role(held(.established, transport: .udp)) == .udp)
    #expect(role(held(.timeWait, remote: 443, owner: .none)) == .timeWait)
    #expect(role(held(.synSent, remote: 5000)) == .client)
    #expect(role(held(.established, remote: 8080)) == .selfConnection)
    var request = held(.synRecv, remote: 443, owner: .none, inode: nil)
    request.uid = nil
    #expect(role(request) == .request && SocketRole.request.cause == .listener)
    request.uid = 0
    #expect(role(request) == .serverConnection, "made early, by TCP Fast Open")
    for state: SocketState in [.established, .finWait1, .finWait2, .closeWait, .lastAck, .closing] {
      #expect(role(held(state, remote: 443)) == .client, "\(state)")
      #expect(role(held(state, remote: 443), beside: [held(.listen)]) == .serverConnection, "\(state)")
      #expect(role(held(state, remote: 443, owner: .none)) == .serverConnection, "\(state)")
    }
    #expect(SocketRole.remains == [.serverConnection, .timeWait])
  }

  @Test("a connection to a service's port is a client's, where a client may have its own")
  func services() {
    func cause(_ port: UInt16, _ peer: UInt16) -> Cause? {
      diagnosis([held(.established, port: port, remote: peer)], port: port).cause
    }
    for peer: UInt16 in [1, 511, 636, 853, 993, 995, 2049] {
      #expect(cause(8080, peer) == .outgoingConnection, "\(peer)")
    }
    for peer: UInt16 in [512, 635, 637, 852, 854, 992, 994, 996, 2048, 2050] {
      #expect(cause(8080, peer) == .leftoverConnection, "\(peer)")
    }
    #expect(cause(511, 443) == .leftoverConnection && cause(512, 443) == .reservedPortClient)
    #expect(cause(1023, 443) == .reservedPortClient && cause(1024, 443) == .outgoingConnection)
    #expect(cause(2049, 443) == .leftoverConnection, "NFS' own port")
    #expect(cause(32_767, 5000) == .leftoverConnection && cause(32_768, 5000) == .outgoingConnection)
    #expect(cause(60_999, 5000) == .outgoingConnection && cause(61_000, 5000) == .leftoverConnection)
  }

  @Test("a port that clients get is said to be one, unless it is reserved")
  func ephemeral() {
    #expect(diagnosis([], port: 40000).notes.map(\.kind) == [.ephemeralPort])
    var reserving = host()
    reserving.localReservedPorts = [39990...40010]
    #expect(diagnosis([], port: 40000, host: reserving).notes.isEmpty)
    #expect(diagnosis([]).notes.isEmpty)
  }

  @Test("that stopping the holder frees the port is sure only for root who could look at every process")
  func unreadable() {
    func certainty(_ unreadable: Int) -> Suggestion.Certainty? {
      diagnosis([held(.listen)], visibility: Visibility(unreadableProcesses: unreadable)).suggestions.first {
        $0.kind == .stopHolder
      }?.certainty
    }
    #expect(certainty(0) == .checked && certainty(1) == .when(.noHiddenHolder))
  }

  @Test("a connection in the accept queue goes with its listener, an accepted one stays as an orphan")
  func queuedChild() {
    let queued = held(.established, remote: 40000, owner: .none, inode: nil)
    let accepted = held(.established, remote: 40001, pid: 10, inode: 2)
    let snapshot = Snapshot(host: host(), sockets: [held(.listen), queued, accepted])
    #expect(snapshot.withoutProcesses([9, 10]).sockets.map(\.state) == [.finWait1])
    #expect(snapshot.withoutProcesses([10]).sockets.map(\.state) == [.listen, .established, .finWait1])
    let stop = diagnosis([held(.listen), queued]).suggestions.first { $0.kind == .stopHolder }
    #expect(stop?.text == "end server", "nothing is left that has to be waited for")
  }

  @Test("that a user is not visible is said where a user decides")
  func user() {
    var socket = held(.listen)
    socket.local = Endpoint(address: .v4(.any), port: Port(8080))
    socket.reuseport = .known(true, .getsockopt)
    socket.uid = nil
    let found = diagnosis([socket], .reuseport)
    #expect(found.why.contains("the user of a socket in the way is not visible from this user namespace"))
    socket.uid = 0
    #expect(!diagnosis([socket], .reuseport).why.contains { $0.contains("user namespace") })
  }

  @Test("another port is one that can serve: none that clients get, and none that something else is looked for on")
  func otherPort() {
    func offer(_ port: UInt16, named: Set<UInt16> = []) -> Suggestion? {
      let nearby = NearbyPorts(ports: (port + 1)...(port + 16), sockets: [], named: named)
      return diagnosis([held(.listen, port: port)], port: port, nearby: nearby).suggestions.first {
        $0.kind == .otherPort
      }
    }
    #expect(offer(8080)?.text == "use port 8081, which is free")
    #expect(offer(8080, named: [8081, 8082])?.text == "use port 8083, which is free", "services of /etc/services")
    #expect(offer(3305)?.text == "use port 3307, which is free", "3306 is MySQL's")
    #expect(offer(32767) == nil, "every port above it is the clients'")
    #expect(offer(40000)?.command?.argv == ["portwhy", "--free", "20000-20999"], "below the clients' range")
    #expect(offer(80)?.command?.argv == ["portwhy", "--free", "8080-8099"])
  }

  @Test(
    "no other port is offered where the protocol has fixed the number",
    arguments: [
      (TransportProtocol.udp, "DNS", [UInt16(53)]), (.udp, "DHCP", [67, 68]), (.udp, "TFTP", [69]),
      (.udp, "Kerberos", [88]), (.udp, "rpcbind", [111]), (.udp, "NTP", [123]), (.udp, "NetBIOS", [137, 138]),
      (.udp, "SNMP", [161, 162]), (.udp, "PTP", [319, 320]), (.udp, "IKE and IPsec", [500, 4500]),
      (.udp, "syslog", [514]), (.udp, "RIP", [520, 521]), (.udp, "DHCPv6", [546, 547]), (.udp, "L2TP", [1701]),
      (.udp, "SSDP", [1900]), (.udp, "NFS", [2049]), (.udp, "WS-Discovery", [3702]), (.udp, "BFD", [3784]),
      (.udp, "VXLAN and GENEVE", [4789, 6081]), (.udp, "NAT-PMP", [5350, 5351]),
      (.udp, "mDNS and LLMNR", [5353, 5355]),
      (.tcp, "SMTP", [25]), (.tcp, "DNS", [53, 853]), (.tcp, "Kerberos", [88]), (.tcp, "rpcbind", [111]),
      (.tcp, "NetBIOS and SMB", [135, 137, 138, 139, 445]), (.tcp, "BGP", [179]), (.tcp, "NFS", [2049]),
      (.tcp, "mDNS", [5353]),
    ])
  func fixedPort(_ transport: TransportProtocol, _ name: String, _ ports: [UInt16]) {
    for port in ports {
      let socket = held(transport == .tcp ? .listen : .close, port: port, transport: transport)
      let nearby = NearbyPorts(ports: (port + 1)...(port + 16), sockets: [])
      let found = diagnosis([socket], port: port, transport: transport, nearby: nearby)
      #expect(!found.suggestions.isEmpty, "\(name) \(port)")
      #expect(!found.suggestions.contains { $0.kind == .otherPort }, "\(name) \(port)")
      #expect(!Self.offersAnother(port, transport), "\(name) \(port)")
    }
    #expect(Self.offersAnother(79, transport))
  }

  /// Whether a user who may not have the port is sent to another one.
  private static func offersAnother(_ port: UInt16, _ transport: TransportProtocol) -> Bool {
    let attempt = BindAttempt(
      transport: transport, address: .v4(.any), port: Port(port), uid: 1000, mayBindPrivileged: false)
    let snapshot = Snapshot(host: host(uid: 1000), sockets: [])
    let outcomes = outcomes(of: attempt, in: snapshot)
    return explain(Situation(attempt: attempt, outcomes: outcomes, planned: [], snapshot: snapshot))
      .suggestions.contains { $0.kind == .otherPort }
  }

  @Test(
    "a port on which a server of a known kind is looked for is offered to nobody else",
    arguments: [
      ("SOCKS", [UInt16(1080)]), ("OpenVPN", [1194]), ("SQL Server, Oracle", [1433, 1521]), ("MQTT", [1883, 8883]),
      ("NFS", [2049]), ("ZooKeeper", [2181]), ("Docker", [2375, 2376]), ("etcd", [2379, 2380]), ("Squid", [3128]),
      ("iSCSI", [3260]), ("MySQL", [3306]), ("RDP", [3389]), ("epmd", [4369]), ("SIP", [5060, 5061]),
      ("XMPP", [5222]),
      ("mDNS", [5353]), ("PostgreSQL", [5432]), ("Kibana", [5601]), ("RabbitMQ", [5672, 15672, 25672]),
      ("VNC, X11", [5900, 6000]), ("WinRM", [5985, 5986]), ("Redis", [6379]), ("Kubernetes", [6443, 10250]),
      ("IRC", [6667]), ("Neo4j", [7687]), ("Cassandra", [9042]), ("Prometheus", [9090, 9100]), ("Kafka", [9092]),
      ("Elasticsearch", [9200, 9300]), ("git", [9418]), ("memcached", [11211]), ("MongoDB", [27017]),
    ])
  func wellKnown(_ name: String, _ ports: [UInt16]) {
    for port in ports {
      // Everybody's next port, asked for one that nothing is known of.
      let nearby = NearbyPorts(ports: port...(port + 8), sockets: [])
      let found = diagnosis([held(.listen, port: 20_500)], port: 20_500, nearby: nearby)
      let offer = found.suggestions.first { $0.kind == .otherPort }
      #expect(offer != nil && offer?.text != "use port \(port), which is free", "\(name) \(port)")
    }
  }

  @Test("who has the wildcard is asked to take an address of its own, unless its connections are in the way")
  func addressThere() {
    func offer(_ state: SocketState, _ transport: TransportProtocol = .tcp, remote: UInt16? = nil) -> String? {
      var socket = held(state, remote: remote, transport: transport)
      socket.local = Endpoint(address: .v4(.any), port: Port(8080))
      socket.reuseaddr = .known(false, .getsockopt)
      let attempt = BindAttempt(
        transport: transport, address: .v4(.loopback), port: Port(8080), uid: 0, mayBindPrivileged: true)
      var own = host()
      own.ipv4NonlocalBind = true
      let snapshot = Snapshot(host: own, sockets: [socket])
      return explain(
        Situation(
          attempt: attempt, outcomes: outcomes(of: attempt, in: snapshot), planned: [], snapshot: snapshot)
      ).suggestions.first { $0.kind == .otherAddressThere }?.text
    }
    let text = "let server bind an address of its own instead of the wildcard"
    #expect(offer(.listen) == text)
    #expect(offer(.close) == text)
    #expect(offer(.close, .udp) == text)
    #expect(offer(.established, remote: 40_000) == nil)
  }

  @Test("the device's own socket gets its traffic first, whichever of the two it is")
  func device() {
    var other = held(.close, transport: .udp)
    other.local = Endpoint(address: .v4(.any), port: Port(8080))
    other.device = InterfaceIndex(rawValue: 2)
    let deliveries = diagnosis([other], .reuseaddr, transport: .udp).deliveries.filter { $0.traffic == .unicast }
    #expect(deliveries.map(\.rule) == [.deviceFirst] && deliveries.map(\.receiver) == [.others])
    #expect(deliveries.first?.text == "datagrams of their devices still go to server (pid 9)")
  }

  @Test("the words of a gone socket count right")
  func vanished() {
    #expect(Note.vanished(1).text == "a socket without owner ended while portwhy looked, and was left out")
    #expect(Note.vanished(2).text == "2 sockets without owner ended while portwhy looked, and were left out")
  }
}
