internal import SocketModel

// The facts of the host, as JSONReport writes them.

extension HostFacts {
  init(reading value: JSONValue) throws(ReportReadError) {
    let release = try value.string("kernel")
    var kernel = KernelVersion(release: release) ?? KernelVersion(major: 0, minor: 0, release: release)
    kernel.stable = try value.optionalInteger("kernel_stable", 1...Int.max) ?? kernel.stable
    self.init(kernel: kernel, uid: try value.integer("uid"))
    networkNamespace = try value.optionalInteger("netns")
    sudoUID = try value.optionalInteger("sudo_uid")
    readerMayBindPrivileged = try value.optionalBool("may_bind_privileged")
    try readSysctls(value)
    interfaces = try value.optionalElements("interfaces")?.map { (entry) throws(ReportReadError) in
      try NetworkInterface(reading: entry)
    }
    ipv6Addresses = try value.optionalElements("ipv6_addresses")?.map { (entry) throws(ReportReadError) in
      try InterfaceAddress(reading: entry)
    }
    ipv4LocalRoutes = try value.optionalElements("ipv4_local_routes")?.map { (entry) throws(ReportReadError) in
      try LocalRoute(reading: entry)
    }
    securityModules = try value.optionalElements("security_modules")?.map { (entry) throws(ReportReadError) in
      try entry.string()
    }
    rootMayBindPrivileged = try value.optionalBool("root_may_bind_privileged")
    overflowUID = try value.optionalInteger("overflow_uid")
    ipv4AbsentTables = try value.optionalElements("ipv4_absent_tables")?.map { (table) throws(ReportReadError) in
      try table.integer(0...UInt32.max)
    }
    ipv4RulesAreDefault = try value.optionalBool("ipv4_rules_are_default")
    ipv4Lookups = try value.optionalElements("ipv4_lookups")?.map { (lookup) throws(ReportReadError) in
      RouteLookup(
        destination: try lookup.ipv4Address("destination"),
        type: try lookup.optionalInteger("type").map(RouteType.init(rawValue:)))
    }
    controlGroupBindPrograms = try value.optionalBool("cgroup_bind_programs")
    namespaceMaker = try value.optionalInteger("netns_maker_uid")
  }

  private mutating func readSysctls(_ value: JSONValue) throws(ReportReadError) {
    unprivilegedPortStart = try value.optionalInteger("ip_unprivileged_port_start")
    localPortRange = try value.optional("ip_local_port_range").map { (range) throws(ReportReadError) in
      try portRange(range)
    }
    localReservedPorts = try value.optionalElements("ip_local_reserved_ports")?.map {
      (range) throws(ReportReadError) in try portRange(range)
    }
    ipv4NonlocalBind = try value.optionalBool("ipv4_nonlocal_bind")
    ipv6NonlocalBind = try value.optionalBool("ipv6_nonlocal_bind")
    bindv6only = try value.optionalBool("bindv6only")
    tcpL3mdevAccept = try value.optionalBool("tcp_l3mdev_accept")
    mayHaveVRFs = try value.optionalBool("may_have_vrfs")
    ipv6Available = try value.optionalBool("ipv6_available")
  }
}

/// `[first, last]`.
private func portRange(_ value: JSONValue) throws(ReportReadError) -> ClosedRange<UInt16> {
  let ends = try value.elements().map { (end) throws(ReportReadError) in try end.integer(0...UInt16.max) }
  guard ends.count == 2, ends[0] <= ends[1] else { throw value.error("expected the first and the last port") }
  return ends[0]...ends[1]
}

extension NetworkInterface {
  init(reading value: JSONValue) throws(ReportReadError) {
    self.init(
      index: try value.interfaceIndex("index"), name: try value.string("name"), isUp: try value.bool("up"),
      master: try value.optionalInterfaceIndex("master"), vrfTable: try value.optionalInteger("vrf_table"))
  }
}

extension InterfaceAddress {
  init(reading value: JSONValue) throws(ReportReadError) {
    self.init(
      address: try value.address("address"), interface: try value.interfaceIndex("interface"),
      flags: try value.integer("flags"))
  }
}

extension LocalRoute {
  init(reading value: JSONValue) throws(ReportReadError) {
    self.init(
      destination: try value.ipv4Address("destination"), prefixLength: try value.integer("prefix_length", 0...32),
      type: RouteType(rawValue: try value.integer("type")), table: try value.integer("table"))
  }
}

extension JSONValue {
  func address(_ key: String) throws(ReportReadError) -> IPAddress {
    let value = try required(key)
    guard let address = IPAddress(try value.string()) else { throw value.error("expected an IP address") }
    return address
  }

  func ipv4Address(_ key: String) throws(ReportReadError) -> IPv4Address {
    guard case .v4(let address) = try address(key) else { throw try required(key).error("expected an IPv4 address") }
    return address
  }

  func ipv6Address(_ key: String) throws(ReportReadError) -> IPv6Address {
    guard case .v6(let address) = try address(key) else { throw try required(key).error("expected an IPv6 address") }
    return address
  }

  func interfaceIndex(_ key: String) throws(ReportReadError) -> InterfaceIndex {
    InterfaceIndex(rawValue: try integer(key, 1...UInt32.max))
  }

  func optionalInterfaceIndex(_ key: String) throws(ReportReadError) -> InterfaceIndex? {
    try optional(key) == nil ? nil : try interfaceIndex(key)
  }
}
