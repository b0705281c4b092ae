internal import SocketModel

/// The facts of the host, and when they were read.
struct HostDocument: JSONObject {
  var facts: HostFacts
  /// Seconds since the epoch.
  var capturedAt: Double

  static var blank: Self { Self(facts: .blank, capturedAt: 0) }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    var (release, stable, build) = (facts.kernel.release, facts.kernel.stable, facts.kernel.build)
    try form.field("kernel", &release)
    try form.field("kernel_stable", &stable)
    try form.expect("kernel_stable", stable ?? 1 > 0, "expected a whole number from 1 up")
    try form.field("netns", &facts.networkNamespace)
    try form.field("uid", &facts.uid)
    var time = Timestamp.text(secondsSinceEpoch: capturedAt)
    try form.field("captured_at", &time)
    try form.field("sudo_uid", &facts.sudoUID)
    try form.field("may_bind_privileged", &facts.readerMayBindPrivileged)
    try form.field("ip_unprivileged_port_start", &facts.unprivilegedPortStart)
    try form.field("ip_local_port_range", &facts.localPortRange)
    try form.field("ip_local_reserved_ports", &facts.localReservedPorts)
    try form.field("ipv4_nonlocal_bind", &facts.ipv4NonlocalBind)
    try form.field("ipv6_nonlocal_bind", &facts.ipv6NonlocalBind)
    try form.field("bindv6only", &facts.bindv6only)
    try form.field("tcp_l3mdev_accept", &facts.tcpL3mdevAccept)
    try form.field("may_have_vrfs", &facts.mayHaveVRFs)
    try form.field("ipv6_available", &facts.ipv6Available)
    try form.field("interfaces", &facts.interfaces)
    try form.field("ipv6_addresses", &facts.ipv6Addresses)
    try form.field("ipv4_local_routes", &facts.ipv4LocalRoutes)
    try form.field("security_modules", &facts.securityModules)
    try form.field("root_may_bind_privileged", &facts.rootMayBindPrivileged)
    try form.field("overflow_uid", &facts.overflowUID)
    try form.field("ipv4_absent_tables", &facts.ipv4AbsentTables)
    try form.field("ipv4_rules_are_default", &facts.ipv4RulesAreDefault)
    try form.field("ipv4_lookups", &facts.ipv4Lookups)
    try form.field("cgroup_bind_programs", &facts.controlGroupBindPrograms)
    try form.field("netns_maker_uid", &facts.namespaceMaker)
    try form.field("fresh_sockets", &facts.freshSockets)
    try form.field("ipv6_disabled", &facts.ipv6Disabled)
    try form.field("enforcing_modules", &facts.enforcingModules)
    try form.field("docker_runs", &facts.dockerRuns)
    try form.field("hostname", &facts.hostname)
    try form.field("kernel_build", &build)
    try form.field("binds_by_address", &facts.bindsByAddress)
    try form.field("apparmor_profiles", &facts.appArmorProfiles)
    try form.field("filtered_calls", &facts.filteredCalls)
    guard Form.reads else { return }
    facts.kernel =
      KernelVersion(release: release, version: build) ?? KernelVersion(major: 0, minor: 0, release: release)
    facts.kernel.stable = stable ?? facts.kernel.stable
    let seconds = Timestamp.secondsSinceEpoch(time)
    try form.expect("captured_at", seconds != nil, "expected a time such as 2026-01-31T12:00:00.000Z")
    capturedAt = seconds ?? 0
  }
}

extension HostFacts {
  static var blank: Self { Self(kernel: KernelVersion(major: 0, minor: 0), uid: 0) }
}

extension AppArmorProfile: JSONObject {
  static var blank: Self { Self(name: "", file: nil, isEnforced: false) }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    try form.field("name", &name)
    try form.field("file", &file)
    try form.field("enforced", &isEnforced)
  }
}

extension NetworkInterface: JSONObject {
  static var blank: Self { Self(index: .blank, name: "", isUp: false) }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    try form.field("index", &index)
    try form.field("name", &name)
    try form.field("up", &isUp)
    try form.field("master", &master)
    try form.field("vrf_table", &vrfTable)
    try form.field("running", &isRunning)
  }
}

extension FreshSocket: JSONObject {
  static var blank: Self { Self(.tcp, .ipv4) }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    try form.field("protocol", &transport)
    try form.field("family", &family)
    var errno = refusal?.description
    try form.field("errno", &errno)
    refusal = errno.flatMap(SystemError.init(name:))
    try form.field("device", &device)
    try form.field("v6only", &v6only)
    try form.field("odd_options", &oddOptions, else: [])
  }
}

extension OddOption: JSONObject {
  static var blank: Self { Self(.reuseaddr, refusal: nil, initially: false, afterwards: false) }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    try form.field("option", &name)
    var errno = refusal?.description
    try form.field("errno", &errno)
    refusal = errno.flatMap(SystemError.init(name:))
    try form.field("initially", &initially)
    try form.field("afterwards", &afterwards)
  }
}

extension FilteredCalls: JSONObject {
  static var blank: Self { Self(areKnown: false) }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    try form.field("known", &areKnown)
    var (onBind, onListen) = (bind?.description, listen?.description)
    try form.field("bind", &onBind)
    try form.field("listen", &onListen)
    (bind, listen) = (onBind.flatMap(SystemError.init(name:)), onListen.flatMap(SystemError.init(name:)))
  }
}

extension InterfaceAddress: JSONObject {
  static var blank: Self { Self(address: .blank, interface: .blank, flags: 0) }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    try form.field("address", &address)
    try form.field("interface", &interface)
    try form.field("flags", &flags)
  }
}

extension LocalRoute: JSONObject {
  static var blank: Self { Self(destination: .any, prefixLength: 0, type: .local) }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    try form.field("destination", &destination)
    try form.field("prefix_length", &prefixLength)
    try form.expect("prefix_length", prefixLength <= 32, "expected a whole number from 0 to 32")
    try form.field("type", &type)
    try form.field("table", &table)
    try form.field("interface", &interface)
  }
}

extension RouteLookup: JSONObject {
  static var blank: Self { Self(destination: .any, type: nil) }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    try form.field("destination", &destination)
    try form.field("type", &type)
    try form.field("source", &source)
  }
}

// MARK: Values

/// An address as inet_ntop(3) writes it.
protocol JSONAddress: JSONCoded, CustomStringConvertible {
  static var kind: String { get }
  init?(_ text: String)
}

extension JSONAddress {
  init(from reader: inout JSONReader) throws(JSONError) {
    let offset = reader.cursor.position
    let text = try reader.string()
    // INET6_ADDRSTRLEN
    guard text.utf8.count < 46, let address = Self(text) else { throw .wrong(offset, "expected an \(Self.kind)") }
    self = address
  }
  func write(to writer: inout JSONWriter) { writer.string(description) }
}

extension IPAddress: JSONAddress {
  static var blank: Self { .v4(.any) }
  static var kind: String { "IP address" }
}

extension IPv4Address: JSONAddress { static var kind: String { "IPv4 address" } }
extension IPv6Address: JSONAddress { static var kind: String { "IPv6 address" } }

extension Port: JSONNumber {}
extension RouteType: JSONNumber {}
extension InterfaceIndex: JSONNumber {
  static var blank: Self { Self(rawValue: 1) }

  init(from reader: inout JSONReader) throws(JSONError) {
    let offset = reader.cursor.position
    self.init(rawValue: try reader.integer())
    if rawValue == 0 { throw .wrong(offset, "expected a whole number from 1 to \(UInt32.max)") }
  }
}

/// `[first, last]`.
extension ClosedRange: JSONCoded where Bound == UInt16 {
  init(from reader: inout JSONReader) throws(JSONError) {
    let offset = reader.cursor.position
    let ends = try [UInt16](from: &reader)
    guard ends.count == 2, ends[0] <= ends[1] else { throw .wrong(offset, "expected the first and the last port") }
    self = ends[0]...ends[1]
  }
  func write(to writer: inout JSONWriter) { [lowerBound, upperBound].write(to: &writer) }
}
