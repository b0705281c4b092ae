internal import SocketModel

extension SocketObservation: JSONObject {
  static var blank: Self {
    Self(
      transport: .tcp, family: .ipv4, local: .blank, state: .notKnown, reuseaddr: .unknown(.hidden),
      reuseport: .unknown(.hidden))
  }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    let id = form.context.nextSocketID
    form.context.nextSocketID += 1
    form.derived("id", id)
    try addresses(&form)
    try form.field("state", &state, else: .notKnown)
    var interface = device.map { deviceName($0, host: form.context.host) }
    try form.field("device", &interface)
    var flags = FlagFields([v6only, reuseaddr, reuseport])
    try flags.values.fields(&form)
    try form.field("sources", &flags.sources)
    form.derived("unknown_because", flags.reasons.values[1] ?? flags.reasons.values[2] ?? flags.reasons.values[0])
    try form.field("uid", &uid)
    try form.user(uid)
    try form.field("inode", &inode)
    var cookieDigits = hexadecimal(cookie)
    try form.field("cookie", &cookieDigits)
    try form.field("cgroup", &cgroup)
    try form.field("timer", &timer, else: SocketTimer?.none)
    try form.field("owner", &owner, else: .hidden)
    try form.field("processes", &processes)
    try form.field("activation", &activation)
    try form.field("kernel_owner", &kernelOwner)
    try form.field("device_index", &device)
    try form.expect("device", device != nil || interface == nil, "a device without its \"device_index\"")
    try form.field("bucket_domain", &bucketDomain)
    try form.field("address_bucket_family", &addressBucketFamily)
    try form.field("cgroup_id", &cgroupID)
    try form.field("receive_queue", &receiveQueue, else: 0)
    try form.field("unknown_reasons", &flags.reasons, else: .blank)
    try form.field("inferred_from", &flags.relatives, else: .blank)
    guard Form.reads else { return }
    let number = cookieDigits.utf8.count == 16 ? UInt64(cookieDigits, radix: 16) : nil
    try form.expect("cookie", number != nil && !cookieDigits.hasPrefix("+"), "expected 16 hexadecimal digits")
    cookie = number ?? 0
    v6only = try flags.knowledge(0, &form)
    // No rule may rely on what a socket allows whose state is not known.
    guard state != .notKnown else { return }
    reuseaddr = try flags.knowledge(1, &form) ?? reuseaddr
    reuseport = try flags.knowledge(2, &form) ?? reuseport
  }

  private mutating func addresses<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    let (expectedTransport, expectedPort) = (form.context.transport, form.context.port)
    try form.field("protocol", &transport, else: expectedTransport)
    try form.expect("protocol", transport == expectedTransport, "a socket of another protocol")
    try form.field("ulp", &ulp)
    var family: AddressFamily? = family
    try form.field("family", &family, else: AddressFamily?.none)
    try form.field("local_address", &local.address)
    self.family = family ?? local.address.family
    try form.expect("local_address", local.address.family == self.family, wrongFamily)
    try form.field("local_port", &local.port)
    try form.expect("local_port", local.port == expectedPort, "a socket of another port")
    var address = remote?.address
    var port = remote?.port
    try form.field("remote_address", &address)
    try form.expect("remote_address", address?.family ?? self.family == self.family, wrongFamily)
    try form.field("remote_port", &port)
    try form.expect("remote_port", address == nil || port != nil, "an address without its port")
    remote = address.flatMap { address in port.map { Endpoint(address: address, port: $0) } }
  }

  private var wrongFamily: String { "expected an address of the family \(family)" }
}

extension Endpoint: JSONObject {
  static var blank: Self { Self(address: .blank, port: Port(0)) }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    try form.field("address", &address)
    try form.field("port", &port)
  }
}

extension SocketState: JSONWord {
  /// Stands for a word that a newer version added; no state of the kernel has this number.
  fileprivate static let notKnown = SocketState(rawValue: 0)

  /// A name, or `STATE_N` for a number without one.
  init?(word: String) {
    guard let state = Self(name: word) ?? number(word, after: "STATE_").map(Self.init(rawValue:)) else { return nil }
    self = state
  }
  var word: String { description }
}

extension SocketTimer: JSONObject {
  static var blank: Self { Self(kind: .timeWait, expires: 0) }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    try form.field("kind", &kind)
    try form.field("expires_ms", &expires)
  }
}

extension SocketTimer.Kind: JSONWord {
  /// A name, or `timer_N` for a number without one.
  init?(word: String) {
    let named = (1...5).lazy.map(Self.init).first { $0.description == word }
    guard let kind = named ?? number(word, after: "timer_").map(Self.init(rawValue:)) else { return nil }
    self = kind
  }
  var word: String { description }
}

/// The number of what the kernel gave no name.
private func number(_ name: String, after prefix: String) -> UInt8? {
  name.hasPrefix(prefix) ? UInt8(name.dropFirst(prefix.count)) : nil
}

extension TransportProtocol: JSONWord {}
extension AddressFamily: JSONWord {}
extension OddOption.Name: JSONWord {}
extension SocketOwner: JSONWord {}

// MARK: Flags

private let flagKeys: [3 of String] = ["v6only", "reuseaddr", "reuseport"]

/// One value for each of `flagKeys`, nil where there is none.
private struct ByFlag<Value: JSONCoded>: JSONObject {
  var values: [3 of Value?]

  static var blank: Self { Self(values: [nil, nil, nil]) }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    for flag in flagKeys.indices { try form.field(flagKeys[flag], &values[flag]) }
  }
}

/// What the report says of the flags, each part by itself.
private struct FlagFields {
  var values: ByFlag<Bool>
  var sources: ByFlag<String>
  var reasons: ByFlag<String>
  /// The sockets that flags were guessed from.
  var relatives: ByFlag<SocketID>

  init(_ flags: [3 of Knowledge<Bool>?]) {
    values = ByFlag(values: InlineArray { flags[$0]?.shown })
    sources = ByFlag(values: InlineArray { flags[$0].flatMap(sourceName) })
    reasons = ByFlag(values: InlineArray { flags[$0]?.unknownReason?.rawValue })
    relatives = ByFlag(values: InlineArray { flags[$0].flatMap(relative).map(SocketID.init) })
  }

  /// What is known of a flag; nil where the socket has no such option: neither a source nor a reason.
  func knowledge<Form: JSONForm>(_ flag: Int, _ form: inout Form) throws(Form.Failure) -> Knowledge<Bool>? {
    let key = flagKeys[flag]
    // A reason that a newer version added is one more why it could not be looked at.
    let reason = reasons.values[flag].map { UnknownReason(rawValue: $0) ?? .hidden }
    let value = values.values[flag]
    guard let source = sources.values[flag] else {
      try form.expect(key, value == nil, "\"\(key)\" is known, and nothing says where from")
      try form.expect(key, reason != nil || flag == 0, "\"\(key)\" is not known, and nothing says why")
      return reason.map { .unknown($0) }
    }
    try form.expect("sources", value != nil, "a source for \"\(key)\", which is not known")
    guard let value else { return nil }
    if let evidence = EvidenceSource(rawValue: source) { return .known(value, evidence) }
    // How sure a source that a newer version added can make one is not known here.
    guard source == "inferred" else { return .unknown(reason ?? .hidden) }
    let relative = relatives.values[flag]
    try form.expect("sources", reason != nil && relative != nil, "nothing says what \"\(key)\" was guessed from")
    return reason.flatMap { reason in relative.map { .inferred(value, from: $0.index, because: reason) } }
  }
}

// MARK: Owners

extension ProcessRecord: JSONObject {
  static var blank: Self { Self(pid: 0, command: "", descriptors: []) }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    try form.field("pid", &pid)
    try form.expect("pid", pid > 0, "expected a whole number from 1 to \(Int32.max)")
    try form.field("command", &command)
    try form.field("executable", &executable)
    try form.field("fds", &descriptors)
    try form.field("unit", &unit)
    try form.field("container", &container)
    try form.field("container_engine", &containerEngine)
    try form.field("user_manager", &userManager)
    try form.field("forwards_to", &forwardsTo)
    try form.field("parent", &parent)
    try form.field("gone_leader", &goneLeader)
    try form.field("uid", &uid)
    try form.user(uid)
    var started = startedAt.map(Timestamp.text(secondsSinceEpoch:))
    try form.field("started_at", &started)
    try form.field("cwd", &workingDirectory)
    try form.field("host_paths", &hasHostPaths)
    try form.field("parents", &parents)
    try form.field("unit_main", &unitMain)
    try form.field("container_name", &containerName)
    try form.field("image", &image)
    try form.field("parent_gone", &isParentGone)
    try form.field("service_manager", &isServiceManager, else: false)
    try form.field("cloexec", &closesOnExec)
    try form.field("sleeps_in", &sleepsIn)
    try form.field("stopped", &isStopped)
    try form.field("ignores_sigterm", &ignoresTermination)
    try form.field("group", &group)
    try form.field("group_size", &groupSize)
    try form.field("siblings", &siblings)
    try form.field("tracer", &tracer)
    guard Form.reads else { return }
    let seconds = started.flatMap(Timestamp.secondsSinceEpoch)
    try form.expect(
      "started_at", seconds != nil || started == nil, "expected a time such as 2026-01-31T12:00:00.000Z")
    startedAt = seconds
  }
}

extension ParentProcess: JSONObject {
  static var blank: Self { Self(pid: 0, command: "") }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    try form.field("pid", &pid)
    try form.expect("pid", pid > 0, "expected a whole number from 1 to \(Int32.max)")
    try form.field("command", &command)
    try form.field("uid", &uid)
  }
}

extension UnitMain: JSONObject {
  static var blank: Self { Self(pid: 0, command: "", executable: nil) }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    try form.field("pid", &pid)
    try form.expect("pid", pid > 0, "expected a whole number from 1 to \(Int32.max)")
    try form.field("command", &command)
    try form.field("executable", &executable)
  }
}

extension SocketActivation: JSONObject {
  static var blank: Self { Self(unit: "", activates: "") }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    try form.field("unit", &unit)
    try form.field("activates", &activates)
    try form.field("user_manager", &userManager)
  }
}

extension KernelOwner: JSONObject {
  static var blank: Self { Self(word: .other("")) }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    try form.field("kind", &word)
    try form.field("interface", &interface)
  }
}
