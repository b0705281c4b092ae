public import PortwhyKit
internal import SocketModel

/// The report as JSON, schema `portwhy.report/1`: one line, fixed key order, every key always present.
///
/// The form is described by `schema/portwhy.report-1.schema.json`; keys are only ever added, at the end of
/// their object.
public enum JSONReport {
  /// The document with a newline at its end. `users` are the names of uids; a uid without one gets `null`.
  public static func render(_ report: Report, users: [UInt32: String] = [:]) -> String {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("schema", Report.schema)
      writer.member("version", report.version)
      writer.object("host", report.host) { write($1, capturedAt: report.capturedAt, to: &$0) }
      writer.object("visibility", report.visibility) { write($1, to: &$0) }
      writer.objects("targets", report.targets) { write($1, host: report.host, users: users, to: &$0) }
      writer.call(report.call)
    }
    return writer.text + "\n"
  }

  private static func write(_ host: HostFacts, capturedAt: Double, to writer: inout JSONWriter) {
    writer.member("kernel", host.kernel.release)
    writer.member("kernel_stable", host.kernel.stable)
    writer.member("netns", host.networkNamespace)
    writer.member("uid", host.uid)
    writer.member("captured_at", Timestamp.text(secondsSinceEpoch: capturedAt))
    writer.member("sudo_uid", host.sudoUID)
    writer.member("may_bind_privileged", host.readerMayBindPrivileged)
    writer.member("ip_unprivileged_port_start", host.unprivilegedPortStart)
    writer.numbers("ip_local_port_range", host.localPortRange.map { [$0.lowerBound, $0.upperBound] })
    writer.pairs("ip_local_reserved_ports", host.localReservedPorts?.map { ($0.lowerBound, $0.upperBound) })
    writer.member("ipv4_nonlocal_bind", host.ipv4NonlocalBind)
    writer.member("ipv6_nonlocal_bind", host.ipv6NonlocalBind)
    writer.member("bindv6only", host.bindv6only)
    writer.member("tcp_l3mdev_accept", host.tcpL3mdevAccept)
    writer.member("may_have_vrfs", host.mayHaveVRFs)
    writer.member("ipv6_available", host.ipv6Available)
    writer.optionalObjects("interfaces", host.interfaces) { writer, interface in
      writer.member("index", interface.index.rawValue)
      writer.member("name", interface.name)
      writer.member("up", interface.isUp)
      writer.member("master", interface.master?.rawValue)
      writer.member("vrf_table", interface.vrfTable)
    }
    writer.optionalObjects("ipv6_addresses", host.ipv6Addresses) { writer, entry in
      writer.member("address", entry.address.description)
      writer.member("interface", entry.interface.rawValue)
      writer.member("flags", entry.flags)
    }
    writer.optionalObjects("ipv4_local_routes", host.ipv4LocalRoutes) { writer, route in
      writer.member("destination", route.destination.description)
      writer.member("prefix_length", route.prefixLength)
      writer.member("type", route.type.rawValue)
      writer.member("table", route.table)
    }
    writer.strings("security_modules", host.securityModules)
    writer.member("root_may_bind_privileged", host.rootMayBindPrivileged)
    writer.member("overflow_uid", host.overflowUID)
    writer.numbers("ipv4_absent_tables", host.ipv4AbsentTables)
    writer.member("ipv4_rules_are_default", host.ipv4RulesAreDefault)
    writer.optionalObjects("ipv4_lookups", host.ipv4Lookups) { writer, lookup in
      writer.member("destination", lookup.destination.description)
      writer.member("type", lookup.type?.rawValue)
    }
    writer.member("cgroup_bind_programs", host.controlGroupBindPrograms)
    writer.member("netns_maker_uid", host.namespaceMaker)
  }

  private static func write(_ visibility: Visibility, to writer: inout JSONWriter) {
    writer.member("complete", visibility.isComplete)
    writer.member("unreadable_processes", visibility.unreadableProcesses)
    writer.strings("reasons", visibility.reasons)
    writer.member("bound_sockets_complete", visibility.boundSocketsComplete)
    writer.object("bpf", visibility.bpf) { writer, use in
      writer.strings("iterators", use.iterators)
      writer.member("microseconds", use.microseconds)
      writer.member("problem", use.problem)
    }
  }
}
