internal import BindRules
internal import Explanation
internal import PortwhyKit
internal import SocketModel

extension JSONReport {
  static func write(
    _ target: TargetReport, host: HostFacts, users: [UInt32: String], to writer: inout JSONWriter
  ) {
    writer.member("protocol", target.transport.rawValue)
    writer.member("port", target.port.rawValue)
    writer.object("plan", target.plan) { write($1, to: &$0) }
    writer.member("verdict", target.verdict.map(verdictWord))
    writer.member("errno", target.verdict.flatMap(errnoName))
    writer.objects("sockets", target.sockets.enumerated()) {
      write($1.element, id: $1.offset, host: host, users: users, to: &$0)
    }
    writer.objects("attempts", target.attempts) { write($1, host: host, users: users, to: &$0) }
    writer.objects("notes", target.notes) { write($1, to: &$0) }
    writer.objects("buckets", target.buckets) { write($1, to: &$0) }
    writer.member("chain_is_ordered", target.isChainOrdered)
  }

  private static func write(_ bucket: BindBucket, to writer: inout JSONWriter) {
    writer.member("layer3_domain", bucket.layer3Domain?.rawValue)
    writer.member("fast_reuse", bucket.fastReuse)
    writer.member("fast_reuseport", bucket.fastReuseport.map(fastReuseportWord))
    writer.member("fast_uid", bucket.fastUID)
    writer.member("fast_family", bucket.fastFamily.rawValue)
    writer.member("fast_address", bucket.fastAddress.description)
    writer.member("fast_address4", bucket.fastAddress4.description)
    writer.member("fast_ipv6only", bucket.fastIPv6only)
  }

  private static func write(_ plan: Plan, to writer: inout JSONWriter) {
    writer.member("reuseaddr", plan.options.contains(.reuseaddr))
    writer.member("reuseport", plan.options.contains(.reuseport))
    writer.member("v6only", plan.v6only)
    writer.member("device", plan.device)
    writer.member("uid", plan.uid)
    writer.member("runtime", plan.runtime)
  }

  // MARK: Sockets

  private static func write(
    _ socket: SocketObservation, id: Int, host: HostFacts, users: [UInt32: String], to writer: inout JSONWriter
  ) {
    writer.member("id", id)
    writer.member("protocol", socket.transport.rawValue)
    writer.member("ulp", socket.ulp)
    writer.member("family", socket.family.rawValue)
    writer.member("local_address", socket.local.address.description)
    writer.member("local_port", socket.local.port.rawValue)
    writer.member("remote_address", socket.remote?.address.description)
    writer.member("remote_port", socket.remote?.port.rawValue)
    writer.member("state", stateName(socket))
    writer.member("device", socket.device.map { deviceName($0, host: host) })
    writeFlags(socket, to: &writer)
    writer.member("uid", socket.uid)
    writer.member("user", socket.uid.flatMap { users[$0] })
    writer.member("inode", socket.inode)
    writer.member("cookie", hexadecimal(socket.cookie))
    writer.member("cgroup", socket.cgroup)
    writer.object("timer", socket.timer) { writer, timer in
      writer.member("kind", timer.kind.description)
      writer.member("expires_ms", timer.expires)
    }
    writer.member("owner", socket.owner.rawValue)
    writer.objects("processes", socket.processes) { write($1, to: &$0) }
    writer.object("activation", socket.activation) { writer, activation in
      writer.member("unit", activation.unit)
      writer.member("activates", activation.activates)
      writer.member("user_manager", activation.userManager)
    }
    writer.object("kernel_owner", socket.kernelOwner) { writer, owner in
      writer.member("kind", owner.kind)
      writer.member("interface", owner.interface)
    }
    writer.member("device_index", socket.device?.rawValue)
    writer.member("bucket_domain", socket.bucketDomain)
    writer.member("cgroup_id", socket.cgroupID)
    writer.member("receive_queue", socket.receiveQueue)
    writer.object("unknown_reasons", socket) { writer, socket in
      writer.member("v6only", socket.v6only?.unknownReason?.rawValue)
      writer.member("reuseaddr", socket.reuseaddr.unknownReason?.rawValue)
      writer.member("reuseport", socket.reuseport.unknownReason?.rawValue)
    }
    writer.object("inferred_from", socket) { writer, socket in
      writer.member("v6only", socket.v6only.flatMap(relative))
      writer.member("reuseaddr", relative(socket.reuseaddr))
      writer.member("reuseport", relative(socket.reuseport))
    }
  }

  private static func writeFlags(_ socket: SocketObservation, to writer: inout JSONWriter) {
    writer.member("v6only", socket.v6only?.shown)
    writer.member("reuseaddr", socket.reuseaddr.shown)
    writer.member("reuseport", socket.reuseport.shown)
    writer.object("sources", socket) { writer, socket in
      writer.member("v6only", socket.v6only.flatMap(sourceName))
      writer.member("reuseaddr", sourceName(socket.reuseaddr))
      writer.member("reuseport", sourceName(socket.reuseport))
    }
    let flags = [socket.reuseaddr, socket.reuseport] + (socket.v6only.map { [$0] } ?? [])
    writer.member("unknown_because", flags.lazy.compactMap(\.unknownReason).first?.rawValue)
  }

  private static func write(_ process: ProcessRecord, to writer: inout JSONWriter) {
    writer.member("pid", process.pid)
    writer.member("command", process.command)
    writer.member("executable", process.executable)
    writer.numbers("fds", process.descriptors)
    writer.member("unit", process.unit)
    writer.member("container", process.container)
    writer.member("container_engine", process.containerEngine)
    writer.member("user_manager", process.userManager)
    writer.object("forwards_to", process.forwardsTo) { writer, endpoint in
      writer.member("address", endpoint.address.description)
      writer.member("port", endpoint.port.rawValue)
    }
    writer.member("parent", process.parent)
    writer.member("gone_leader", process.goneLeader)
  }

  // MARK: Attempts

  private static func write(
    _ report: AttemptReport, host: HostFacts, users: [UInt32: String], to writer: inout JSONWriter
  ) {
    let attempt = report.attempt
    writer.member("address", attempt.address.description)
    writer.member("family", attempt.family.rawValue)
    writer.member("v6only", attempt.family == .ipv6 ? attempt.v6only : nil)
    writer.member("device", attempt.device.map(deviceName))
    writer.member("uid", attempt.uid)
    writer.objects("outcomes", report.outcomes) { write($1, transport: attempt.transport, to: &$0) }
    writer.member("cause", report.explanation.cause?.rawValue)
    writer.objects("receives", report.explanation.receives) { write($1, to: &$0) }
    writer.objects("notes", report.explanation.notes) { write($1, to: &$0) }
    writer.objects("suggestions", report.explanation.suggestions) { write($1, to: &$0) }
    writer.strings("why", report.explanation.why)
    writer.member("scope", attempt.zone(host))
    writer.member("scope_index", attempt.scope?.rawValue)
    writer.member("device_index", attempt.device.flatMap(deviceIndex)?.rawValue)
    writer.member("may_bind_privileged", attempt.mayBindPrivileged)
    writer.member("user", users[attempt.uid])
  }

  private static func write(_ outcome: BindOutcome, transport: TransportProtocol, to writer: inout JSONWriter) {
    writer.member("reuseaddr", outcome.options.contains(.reuseaddr))
    writer.member("reuseport", outcome.options.contains(.reuseport))
    writer.member("bind", outcome.bind.description)
    writer.member("listen", listenResult(outcome, transport: transport).map(\.description))
    writer.member("source", outcome.source.rawValue)
    writer.objects("blockers", outcome.blockers) { writer, blocker in
      writer.member("socket", blocker.socket)
      writer.member("rule", blocker.rule.rawValue)
    }
    writer.strings("missing", outcome.missing.map(missingWord))
  }

  private static func write(_ receipt: Receipt, to writer: inout JSONWriter) {
    writer.member("traffic", receipt.traffic.rawValue)
    writer.member("family", receipt.family?.rawValue)
    writer.member("receiver", receipt.receiver.rawValue)
    writer.member("rule", receipt.rule.rawValue)
    writer.numbers("sockets", receipt.sockets)
    writer.member("text", receipt.text)
  }

  private static func write(_ note: Note, to writer: inout JSONWriter) {
    writer.member("kind", note.kind)
    writer.member("text", note.text)
  }

  private static func write(_ suggestion: Suggestion, to writer: inout JSONWriter) {
    writer.member("kind", suggestion.kind)
    writer.member("option", suggestion.option)
    switch suggestion.certainty {
    case .checked:
      writer.member("certainty", "checked")
      writer.null("condition")
    case .conditional(let condition):
      writer.member("certainty", "if")
      writer.member("condition", condition)
    }
    writer.member("text", suggestion.text)
    writer.member("command", suggestion.command)
  }
}
