import Linux
import NetlinkTestSupport
import CLinux
import Glibc
@testable import Evidence
import Netlink
import SocketModel
import Testing

private func write(_ text: String, to path: String) throws {
  let descriptor = open(path, O_WRONLY)
  guard descriptor >= 0 else { throw NamespaceError(what: path) }
  defer { close(descriptor) }
  guard Glibc.write(descriptor, text, text.utf8.count) == text.utf8.count else { throw NamespaceError(what: path) }
}

/// Where /proc does not show net.ipv6.bindv6only.
private let aNewSocketSays = freshSocketIsV6only()

@Suite("The facts of a host")
struct HostReaderTests {
  @Test("that were not asked for are not read")
  func nothing() throws {
    let facts = try HostReader(procRoot: "/nonexistent", sysRoot: "/nonexistent").read([])
    var expected = HostFacts(kernel: facts.kernel, uid: geteuid())
    expected.hostname = facts.hostname
    #expect(facts == expected)
    expected.uid = 1
    #expect(facts != expected && facts.kernel.major >= 4)
  }

  @Test("are taken from the files below the given roots")
  func files() throws {
    let root = try TemporaryRoot(files: [
      "sys/net/ipv4/ip_unprivileged_port_start": "80\n", "sys/net/ipv4/ip_local_port_range": "1000\t2000\n",
      "sys/net/ipv4/ip_local_reserved_ports": "1500-1501\n", "sys/net/ipv4/ip_nonlocal_bind": "1\n",
      "sys/net/ipv6/ip_nonlocal_bind": "0\n", "sys/net/ipv6/bindv6only": "1\n",
      "sys/net/ipv4/tcp_l3mdev_accept": "1\n", "kernel/security/lsm": "capability,selinux",
    ])
    let facts = try HostReader(procRoot: root.path, sysRoot: root.path).read(.everything)
    #expect(facts.unprivilegedPortStart == 80 && facts.localPortRange == 1000...2000)
    #expect(facts.localReservedPorts == [1500...1501])
    #expect(facts.ipv4NonlocalBind == true && facts.ipv6NonlocalBind == false && facts.bindv6only == true)
    #expect(facts.tcpL3mdevAccept == true && facts.securityModules == ["selinux"])
    #expect(facts.networkNamespace == nil && facts.readerMayBindPrivileged == nil, "no thread-self there")
  }

  @Test(
    "have the AppArmor profiles of the planned program: those enforced, else those installed and not switched off")
  func appArmor() throws {
    let lsm = ["sys/kernel/security/lsm": "capability,apparmor"]
    let files = [
      "etc/apparmor.d/usr.sbin.nginx": "/usr/sbin/nginx {\n}\n", "etc/apparmor.d/local/usr.sbin.squid": "",
      "etc/apparmor.d/usr.sbin.squid": "profile squid /usr/sbin/squid flags=(complain) {\n}\n",
      "etc/apparmor.d/usr.sbin.named": "/usr/sbin/named {\n}\n",
    ]
    func profiles(_ more: [String: String], _ programs: [String]) throws -> [AppArmorProfile]? {
      let root = try TemporaryRoot(
        files: files.merging(lsm) { $1 }.merging(more) { $1 },
        links: ["etc/apparmor.d/disable/usr.sbin.named": "/dev/null"])
      let reader = HostReader(procRoot: root.path, sysRoot: "\(root.path)/sys", etcRoot: "\(root.path)/etc")
      return try reader.read(.securityModules, programs: programs).appArmorProfiles?.map { profile in
        var profile = profile
        profile.file = profile.file.map { String($0.dropFirst(root.path.count)) }
        return profile
      }
    }
    let file = "/etc/apparmor.d/usr.sbin.nginx"
    #expect(
      try profiles([:], ["nginx", "squid", "named", "other"])
        == [AppArmorProfile(name: "usr.sbin.nginx", file: file, isEnforced: false)])
    let loaded = [
      "sys/kernel/security/apparmor/profiles":
        "/usr/sbin/nginx (enforce)\n/usr/sbin/nginx//child (enforce)\nsquid (complain)\nunbound (enforce)\n"
    ]
    #expect(
      try profiles(loaded, ["nginx", "squid"])
        == [AppArmorProfile(name: "/usr/sbin/nginx", file: file, isEnforced: true)])
    #expect(
      try profiles(loaded, ["unbound"]) == [AppArmorProfile(name: "unbound", file: nil, isEnforced: true)])
    #expect(try profiles(loaded, []) == nil)
    #expect(try profiles(["sys/kernel/security/lsm": "capability"], ["nginx"]) == nil)
  }

  @Test(
    "before 6.1 have a table of addresses or not by the kernel's caches, where it shows any",
    arguments: [([], nil), (["tcp_bind_bucket"], false), (["tcp_bind_bucket", "tcp_bind2_bucket"], true)]
      as [([String], Bool?)])
  func addressTable(caches: [String], expected: Bool?) throws {
    let root = try TemporaryRoot(
      files: Dictionary(uniqueKeysWithValues: caches.map { ("kernel/slab/\($0)/objs_per_slab", "32\n") }))
    #expect(HostReader(sysRoot: root.path).hasAddressTable(ProcessFiles()) == expected)
    // This kernel, of 6.1 or later in the tests, has it.
    if try HostReader().read([]).kernel >= KernelVersion(major: 6, minor: 1) {
      #expect(HostReader().hasAddressTable(ProcessFiles()) != false)
    }
  }

  @Test("that an old kernel lacks have their documented values, if it is a kernel and not an empty /proc")
  func absent() throws {
    let needs: HostNeeds = [.unprivilegedPortStart, .l3mdevAccept, .bindv6only, .nonlocalBind]
    let old = try TemporaryRoot(files: ["sys/net/ipv4/ip_local_port_range": "1000\t2000\n"])
    let facts = try HostReader(procRoot: old.path).read(needs)
    #expect(facts.unprivilegedPortStart == 1024 && facts.tcpL3mdevAccept == false)
    #expect(facts.bindv6only == aNewSocketSays && facts.ipv4NonlocalBind == nil)
    let empty = try HostReader(procRoot: "/nonexistent").read(needs)
    #expect(empty.unprivilegedPortStart == nil && empty.tcpL3mdevAccept == nil)
  }

  @Test("that are malformed or unreadable are not known")
  func malformed() throws {
    let root = try TemporaryRoot(files: [
      "sys/net/ipv4/ip_local_port_range": "many\n", "sys/net/ipv4/ip_unprivileged_port_start": "99999\n",
      "sys/net/ipv6/bindv6only/directory": "",
    ])
    let facts = try HostReader(procRoot: root.path).read([.localPortRange, .unprivilegedPortStart, .bindv6only])
    #expect(facts.localPortRange == nil && facts.unprivilegedPortStart == nil && facts.bindv6only == aNewSocketSays)
  }

  @Test("follow the thread into its network namespace: inode, sysctls, addresses, routes")
  func namespace() throws {
    let outside = try HostReader().read([.networkNamespace, .unprivilegedPortStart])
    try inPrivateNamespace {
      try write("81", to: "/proc/sys/net/ipv4/ip_unprivileged_port_start")
      try write("40000 40009", to: "/proc/sys/net/ipv4/ip_local_port_range")
      let facts = try HostReader().read(.everything)
      #expect(facts.networkNamespace != nil && facts.networkNamespace != outside.networkNamespace)
      #expect(facts.unprivilegedPortStart == 81 && facts.localPortRange == 40000...40009)
      #expect(facts.interfaces?.contains { $0.name == "lo" && $0.isUp } == true)
      #expect(facts.ipv6Addresses?.map(\.address) == [.v6(.loopback)] && facts.ipv6Available == true)
      let routes = try #require(facts.ipv4LocalRoutes)
      #expect(
        routes.contains { $0.destination == IPv4Address(127, 0, 0, 0) && $0.prefixLength == 8 && $0.type == .local },
        "\(routes)")
    }
    #expect(try HostReader().read(.unprivilegedPortStart).unprivilegedPortStart == outside.unprivilegedPortStart)
  }

  @Test("say whether there may be VRFs: where the driver's sysctls are, or none are to be seen")
  func mayHaveVRFs() throws {
    func may(_ files: [String: String]) throws -> Bool {
      let root = try TemporaryRoot(files: files)
      return withExtendedLifetime(root) { HostReader(procRoot: root.path).mayHaveVRFs() }
    }
    #expect(try may(["sys/net/ipv4/tcp_mem": "", "sys/net/vrf/strict_mode": "0\n"]))
    #expect(try may(["sys/kernel/overflowuid": "65534\n"]))
    let isOld = try HostReader().read([]).kernel < KernelVersion(major: 5, minor: 9)
    #expect(try may(["sys/net/ipv4/tcp_mem": ""]) == isOld)
  }

  @Test("have the routes of every VRF's table too")
  func vrf() throws {
    let requests = NetlinkTransport { (request, handler) throws(NetlinkError) in
      var answer = Vrf.answer(to: request.bytes)
      answer[8] = request.bytes[8]
      _ = try handler(answer.span, DatagramOrigin(receiver: 0))
      var done: [UInt8] = [20, 0, 0, 0, 3, 0, 2, 0] + Array(repeating: 0, count: 12)
      done[8] = request.bytes[8]
      _ = try handler(done.span, DatagramOrigin(receiver: 0))
    }
    let facts = try HostReader(transport: requests).read(.ipv4LocalRoutes)
    #expect(facts.interfaces?.map(\.vrfTable) == [1001])
    #expect(facts.ipv4LocalRoutes?.map(\.table) == [255, 1001])
    #expect(facts.ipv4RulesAreDefault == false && facts.ipv4AbsentTables == [])
  }

  @Test("tell untouched routing rules from changed ones, and tables that were never made from empty ones")
  func rules() throws {
    try inPrivateNamespace {
      func read() throws -> HostFacts {
        try HostReader().read(.ipv4LocalRoutes, lookups: [IPv4Address(127, 0, 0, 9), IPv4Address(192, 0, 2, 1)])
      }
      let facts = try read()
      #expect(facts.ipv4RulesAreDefault == true && facts.ipv4AbsentTables == [])
      #expect(
        facts.ipv4Lookups == [
          RouteLookup(destination: IPv4Address(127, 0, 0, 9), type: .local, source: .loopback),
          RouteLookup(destination: IPv4Address(192, 0, 2, 1), type: nil),
        ])
      // RTM_NEWRULE: the table main once more, at the priority 100.
      try change(.newRule, [2, 0, 0, 0, 254, 0, 0, 1, 0, 0, 0, 0] + attribute(6, [100, 0, 0, 0]))
      #expect(try read().ipv4RulesAreDefault == false)
      guard portwhy_unshare_network() == 0 else { throw NamespaceError(what: "unshare") }
      let fresh = try read()
      #expect(fresh.ipv4AbsentTables == [255] && fresh.ipv4LocalRoutes == [], "lo was never up")
    }
  }

  @Test("name the overflow uid unless the reader's uid_map covers everybody")
  func userMapping() throws {
    func overflow(_ files: [String: String]) throws -> UInt32? {
      let root = try TemporaryRoot(files: files)
      return try withExtendedLifetime(root) { try HostReader(procRoot: root.path).read(.userMapping).overflowUID }
    }
    let status = ["thread-self/status": ""]
    #expect(try overflow(["thread-self/uid_map": "         0          0 4294967295\n"]) == nil)
    #expect(try overflow(["thread-self/uid_map": "0 1000 1\n1 100000 65536\n"]) == 65534)
    #expect(try overflow(["thread-self/uid_map": "0 1000 1\n", "sys/kernel/overflowuid": "60000\n"]) == 60000)
    #expect(try overflow(["thread-self/uid_map": "nonsense\n"]) == 65534)
    #expect(try overflow(status) == nil, "a kernel without user namespaces")
    #expect(try overflow([:]) == 65534, "no /proc")
  }

  @Test("that need rtnetlink are not known where it is denied; a malformed reply is an error")
  func denied() throws {
    let needs: HostNeeds = [.interfaces, .ipv6Addresses, .ipv4LocalRoutes]
    let denied = NetlinkTransport { (_, _) throws(NetlinkError) in throw .interfaceMissing(.route, .notPermitted) }
    let facts = try HostReader(transport: denied).read(needs)
    #expect(facts.interfaces == nil && facts.ipv6Addresses == nil && facts.ipv4LocalRoutes == nil)
    let broken = NetlinkTransport { (_, handler) throws(NetlinkError) in
      _ = try handler([1, 2, 3].span, DatagramOrigin(receiver: 0))
    }
    #expect(throws: NetlinkError.self) { try HostReader(transport: broken).read(needs) }
  }
}

/// Replies of a host with one VRF (table 1001) and one route in each table.
private enum Vrf {
  static func answer(to request: [UInt8]) -> [UInt8] {
    let table1001: [UInt8] = [0xe9, 3, 0, 0]
    if request[4] == 18 {
      let info = attribute(1, Array("vrf".utf8)) + attribute(2, attribute(1, table1001))
      return message(
        16,
        [0, 0, 0, 0, 7, 0, 0, 0] + Array(repeating: 0, count: 8) + attribute(3, [98, 0])
          + attribute(18, info))
    }
    // The rule that comes with a VRF: FRA_L3MDEV, priority 1000.
    if request[4] == 34 {
      return message(32, [2, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0] + attribute(19, [1]) + attribute(6, [0xe8, 3, 0, 0]))
    }
    return message(24, [2, 32, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0] + attribute(15, Array(request.suffix(4))))
  }

  static func message(_ type: UInt8, _ body: [UInt8]) -> [UInt8] {
    [UInt8(16 + body.count), 0, 0, 0, type, 0, 2, 0] + Array(repeating: 0, count: 8) + body
  }
}
