package import SocketModel

/// How a private namespace is furnished.
package struct NamespaceConfiguration: Sendable, Hashable {
  /// `dev0` and `dev1` with their addresses (see `LabDevice`).
  package var devices: Bool
  /// `vrf0` with `dev2` enslaved; fails with EOPNOTSUPP where the kernel has no VRF.
  package var vrf: Bool
  /// Written before anything else runs: a path below /proc/sys/net such as `ipv6/bindv6only`, and the text.
  package var sysctls: [String: String]
  /// Small socket tables of its own; else the host's, as a container has them, whose size a walk feels.
  package var ownTables: Bool
  /// The ports of `PortKind.ephemeral` are kept for the sockets under test (`ip_local_reserved_ports`).
  package var clientPorts = false

  package init(devices: Bool = true, vrf: Bool = false, sysctls: [String: String] = [:], ownTables: Bool = true) {
    self.devices = devices
    self.vrf = vrf
    self.sysctls = sysctls
    self.ownTables = ownTables
  }
}

/// Why there is no private namespace.
package enum NamespaceError: Error, Sendable, Hashable {
  /// The reader may not make one (EPERM of unshare(2)): a test must say loudly that it did not run.
  case notPermitted
  /// Another step failed: its name and the error.
  case failed(String, SystemError)
  /// Every port of the kind asked for was used once in this namespace: start another one.
  case outOfPorts
}

/// A private network namespace, current on the thread that `run` made for it.
///
/// One namespace serves many copies of scenarios, each on a port that was never used in it before: TIME_WAIT
/// sockets stay for 60 s after everything is closed. `portsLeft` says how many copies are still possible.
/// The connection tables are the namespace's own (`tcp_child_ehash_entries`, Linux 6.1), so that dumps see
/// nothing of the host and cost little; so is the UDP table, with few slots, so that a chain is easily crowded. Ports under test are 2000...39999, or 1...1023; everything the lab
/// needs besides has a port from 40000 up.
package struct NetworkNamespace: ~Copyable {
  /// The interfaces by name, `lo` included.
  package let interfaces: [LabDevice: InterfaceIndex]
  var nextPort: UInt16 = 2000
  var nextPrivilegedPort: UInt16 = 1
  var nextEphemeralPort: UInt16 = 60001
  /// Listeners whose accept queue is full: a SYN to them is dropped, so a client stays in SYN_SENT.
  var blackholes: [AddressFamily: Blackhole] = [:]
  /// Sysctls that a scenario changed, as they are now.
  private var settings: [HostSetting: Int] = [:]
  /// Whether a scenario took `dev2` out of `vrf0`.
  private var isReleased = false

  /// A listener with a full accept queue, and its port.
  struct Blackhole {
    var port: UInt16
    var descriptors: [Int32]
  }

  /// Runs `body` on a thread of its own in a fresh network namespace and returns what it returns.
  ///
  /// The body must be synchronous. Swift Testing cannot tell which test a foreign thread belongs to: return
  /// values and `#expect` outside. Throws `NamespaceError`, or what the body throws. The caller's thread waits.
  package static func run<Result>(
    _ configuration: NamespaceConfiguration = NamespaceConfiguration(),
    _ body: (inout NetworkNamespace) throws -> Result
  ) throws -> Result {
    var result: Swift.Result<Result, any Error>?
    do {
      try SystemCalls.onOwnThread {
        result = Swift.Result {
          var namespace = try NetworkNamespace(configuration)
          return try body(&namespace)
        }
      }
    } catch {
      throw NamespaceError.failed("pthread_create", error)
    }
    guard let result else { throw NamespaceError.failed("pthread_join", .noSuchProcess) }
    return try result.get()
  }

  /// Whether kernel tests should run: this process may make a namespace, or `CI` is set, where a test that cannot
  /// run must fail with `NamespaceError.notPermitted` and not be skipped.
  package static var isPermittedOrRequired: Bool {
    if SystemCalls.hasEnvironment("CI") { return true }
    do {
      return try run(NamespaceConfiguration(devices: false)) { (_: inout NetworkNamespace) in true }
    } catch {
      return error as? NamespaceError != .notPermitted
    }
  }

  private init(_ configuration: NamespaceConfiguration) throws(NamespaceError) {
    interfaces = try Self.enterFreshNamespace(configuration)
  }

  deinit {
    for descriptor in blackholes.values.flatMap(\.descriptors) { SystemCalls.close(descriptor) }
  }

  /// Unshares twice: the size of a namespace's own connection table is set in its parent.
  private static func enterFreshNamespace(
    _ configuration: NamespaceConfiguration
  ) throws(NamespaceError) -> [LabDevice: InterfaceIndex] {
    var stage = "unshare"
    do {
      try SystemCalls.unshareNetwork()
      if configuration.ownTables {
        try? write("ipv4/tcp_child_ehash_entries", "4096")
        try? write("ipv4/udp_child_hash_entries", "\(udpTableSlots)")
        try SystemCalls.unshareNetwork()
      }
      stage = "rtnetlink"
      let names = try furnish(configuration)
      for (name, value) in configuration.sysctls.sorted(by: { $0.key < $1.key }) {
        stage = "sysctl \(name)"
        try write(name, value)
      }
      return names.reduce(into: [:]) { indexes, name in
        indexes[name] = InterfaceIndex(kernel: SystemCalls.interfaceIndex(name.rawValue))
      }
    } catch {
      throw stage == "unshare" && error == .notPermitted ? .notPermitted : .failed(stage, error)
    }
  }

  private static func furnish(_ configuration: NamespaceConfiguration) throws(SystemError) -> [LabDevice] {
    try write("ipv4/ip_local_port_range", helperPorts)
    if configuration.clientPorts { try write("ipv4/ip_local_reserved_ports", "60001-65535") }
    try write("ipv4/tcp_max_tw_buckets", "262144")
    try write("ipv6/conf/default/accept_dad", "0")
    try write("ipv6/conf/default/addr_gen_mode", "1")
    var setup = try InterfaceSetup()
    try setup.setUp("lo")
    var names = [LabDevice.loopback]
    if configuration.devices {
      try setup.addVethPair("dev0", "dev1")
      names += [.dev0, .dev1]
      for (name, net, link) in [("dev0", 0x77, 0x77), ("dev1", 0x78, 0x78)] as [(String, UInt64, UInt64)] {
        try addAddresses(net: net, link: link, to: name, &setup)
        if name == "dev0" { try addTentativeAddress(&setup) }
        // Both ends of the cable are local: packets between them would otherwise be martians.
        try write("ipv4/conf/\(name)/accept_local", "1")
      }
    }
    if configuration.vrf {
      try setup.addVRF("vrf0", table: 100)
      try setup.addVethPair("dev2", "dev3")
      try setup.enslave("dev2", to: "vrf0")
      try addAddresses(net: 0x79, link: 0x79, to: "dev2", &setup)
      try write("ipv4/conf/dev2/accept_local", "1")
      names += [.vrf0, .dev2]
    }
    return names
  }

  /// 10.N.0.1/24, fdN::1/64 and fe80::N, N as in the table of `LabDevice` (hexadecimal digits read as decimal); with
  /// `keeping` some may be there already.
  private static func addAddresses(
    net: UInt64, link: UInt64, to name: String, _ setup: inout InterfaceSetup, keeping: Bool = false
  ) throws(SystemError) {
    let decimal = UInt8(truncatingIfNeeded: net >> 4 * 10 + net & 15)
    let addresses: [(IPAddress, UInt8)] = [
      (.v4(IPv4Address(10, decimal, 0, 1)), 24), (.v6(IPv6Address(high: (0xfd00 | net) << 48, low: 1)), 64),
      (.v6(IPv6Address(high: 0xfe80 << 48, low: link)), 64),
    ]
    for (address, prefix) in addresses {
      do throws(SystemError) {
        try setup.addAddress(address, prefix: prefix, to: name)
      } catch  where keeping && error.rawValue == 17 {}  // EEXIST
    }
  }

  /// fd77::7e, an address that is looked for duplicates for hours (RFC 4862).
  private static func addTentativeAddress(_ setup: inout InterfaceSetup) throws(SystemError) {
    // The kernel counts probes in a byte.
    try write("ipv6/conf/dev0/dad_transmits", "255")
    try write("ipv6/neigh/dev0/retrans_time_ms", "100000")
    try write("ipv6/conf/dev0/accept_dad", "1")
    let address = IPv6Address(high: 0xfd77 << 48, low: 0x7e)
    try setup.addAddress(.v6(address), prefix: 64, to: "dev0", isChecked: true)
  }

  /// The range of everything that is not under test.
  static let helperPorts = "40000 65535"

  private static func write(_ name: String, _ value: String) throws(SystemError) {
    try SystemCalls.writeFile("/proc/sys/net/" + name, value)
  }

  /// Sets what a scenario wants and puts everything else back to what a fresh namespace has.
  mutating func apply(_ wanted: [HostSetting: Int]) throws(SystemError) {
    for setting in HostSetting.allCases {
      let value = wanted[setting] ?? setting.defaultValue
      guard (settings[setting] ?? setting.defaultValue) != value else { continue }
      try Self.write(setting.rawValue, "\(value)")
      settings[setting] = value
    }
  }

  /// A holder changed `tcp_l3mdev_accept`: the next copy sets it anew, whatever it wants it to be.
  mutating func forgetL3mdevAccept() {
    settings[.tcpL3mdevAccept] = -1
  }

  /// Makes a change of a scenario, which the next `restore` takes back.
  mutating func apply(_ change: LaterChange) throws(SystemError) {
    switch change {
    case .setting(let setting, let value):
      try Self.write(setting.rawValue, "\(value)")
      settings[setting] = value
    case .released:
      var setup = try InterfaceSetup()
      isReleased = true
      try setup.release("dev2")
    }
  }

  /// Puts `dev2` back into `vrf0`, with the IPv6 addresses that it lost when it went down (`cycle_netdev`).
  mutating func restore() throws(SystemError) {
    guard isReleased else { return }
    var setup = try InterfaceSetup()
    try setup.enslave("dev2", to: "vrf0")
    try Self.addAddresses(net: 0x79, link: 0x79, to: "dev2", &setup, keeping: true)
    isReleased = false
  }

  /// Gives an interface other names, up to 127 bytes long each (ip-link(8), `property add`).
  package func addAlternativeNames(_ names: [String], to device: LabDevice) throws(SystemError) {
    var setup = try InterfaceSetup()
    for name in names { try setup.addAlternativeName(name, to: device.rawValue) }
  }

  /// Sets a sysctl of this namespace: a path below /proc/sys/net, such as `ipv4/ip_nonlocal_bind`.
  package func setSysctl(_ name: String, _ value: String) throws(SystemError) {
    try Self.write(name, value)
  }

  /// Reads a sysctl of this namespace, without the newline.
  package func sysctl(_ name: String) throws(SystemError) -> String {
    let bytes = try SystemCalls.readFile("/proc/sys/net/" + name)
    return String(decoding: bytes.prefix { $0 != 10 }, as: UTF8.self)
  }

  /// How many more copies of a scenario with this kind of port can be built here.
  package func portsLeft(_ kind: PortKind) -> Int {
    switch kind {
    case .ordinary: Int(40000 - nextPort)
    case .privileged: Int(1024 - nextPrivilegedPort)
    case .ephemeral: Int(UInt16.max - nextEphemeralPort)
    }
  }

  /// A port that nothing in this namespace ever used.
  package mutating func freshPort(_ kind: PortKind = .ordinary) throws(NamespaceError) -> Port {
    guard portsLeft(kind) > 0 else { throw .outOfPorts }
    switch kind {
    case .ordinary:
      nextPort += 1
      return Port(nextPort - 1)
    case .privileged:
      nextPrivilegedPort += 1
      return Port(nextPrivilegedPort - 1)
    case .ephemeral:
      nextEphemeralPort += 1
      return Port(nextEphemeralPort - 1)
    }
  }
}
