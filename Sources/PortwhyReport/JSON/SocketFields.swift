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
    var flags = FlagFields(ByFlag(v6only: v6only, reuseaddr: reuseaddr, reuseport: reuseport))
    try flags.values.fields(&form)
    try form.field("sources", &flags.sources)
    form.derived("unknown_because", flags.reasons.reuseaddr ?? flags.reasons.reuseport ?? flags.reasons.v6only)
    try form.field("uid", &uid)
    try form.user(uid)
    try form.field("inode", &inode)
    try number(&form)
    try form.field("cgroup", &cgroup)
    try form.field("timer", &timer, else: SocketTimer?.none)
    try form.field("owner", &owner, else: .hidden)
    try form.field("processes", &processes)
    try form.field("activation", &activation)
    try form.field("kernel_owner", &kernelOwner)
    try form.field("device_index", &device)
    try form.expect("device", device != nil || interface == nil, "a device without its \"device_index\"")
    try form.field("bucket_domain", &bucketDomain)
    try form.field("cgroup_id", &cgroupID)
    try form.field("receive_queue", &receiveQueue, else: 0)
    try form.field("unknown_reasons", &flags.reasons, else: .blank)
    try form.field("inferred_from", &flags.relatives, else: .blank)
    guard Form.reads else { return }
    let known = try flags.knowledge(&form)
    v6only = known.v6only
    // No rule may rely on what a socket allows whose state is not known.
    if state != .notKnown { (reuseaddr, reuseport) = (known.reuseaddr ?? reuseaddr, known.reuseport ?? reuseport) }
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

  private mutating func number<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    var digits = hexadecimal(cookie)
    try form.field("cookie", &digits)
    guard Form.reads else { return }
    let number = digits.utf8.count == 16 && digits.utf8.first != UInt8(ascii: "+") ? UInt64(digits, radix: 16) : nil
    try form.expect("cookie", number != nil, "expected 16 hexadecimal digits")
    cookie = number ?? 0
  }
}

extension Endpoint: JSONObject {
  static var blank: Self { Self(address: .blank, port: Port(0)) }

  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    try form.field("address", &address)
    try form.field("port", &port)
  }
}

extension SocketState: JSONCoded {
  /// Stands for a word that a newer version added; no state of the kernel has this number.
  fileprivate static let notKnown = SocketState(rawValue: 0)

  /// A name, or `STATE_N` for a number without one.
  init(from reader: inout JSONReader) throws(JSONError) {
    self = try reader.word { name in
      SocketState(name: name) ?? number(name, after: "STATE_").map(SocketState.init(rawValue:))
    }
  }
  func write(to writer: inout JSONWriter) { writer.string(description) }
}

extension SocketTimer: JSONObject {
  static var blank: Self { Self(kind: .timeWait, expires: 0) }

  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    try form.field("kind", &kind)
    try form.field("expires_ms", &expires)
  }
}

extension SocketTimer.Kind: JSONCoded {
  /// A name, or `timer_N` for a number without one.
  init(from reader: inout JSONReader) throws(JSONError) {
    self = try reader.word { name in
      (1...5).lazy.map(Self.init).first { $0.description == name }
        ?? number(name, after: "timer_").map(Self.init(rawValue:))
    }
  }
  func write(to writer: inout JSONWriter) { writer.string(description) }
}

/// The number of a word that the kernel gave none.
private func number(_ name: String, after prefix: String) -> UInt8? {
  name.hasPrefix(prefix) ? UInt8(name.dropFirst(prefix.count)) : nil
}

extension TransportProtocol: JSONWord {}
extension AddressFamily: JSONWord {}
extension SocketOwner: JSONWord {}

// MARK: Flags

/// One value for each of the flags.
private struct ByFlag<Value> {
  var v6only: Value
  var reuseaddr: Value
  var reuseport: Value

  func map<Other>(_ transform: (Value) -> Other) -> ByFlag<Other> {
    ByFlag<Other>(v6only: transform(v6only), reuseaddr: transform(reuseaddr), reuseport: transform(reuseport))
  }
}

extension ByFlag: JSONCoded where Value: JSONCoded & ExpressibleByNilLiteral {}
extension ByFlag: JSONObject where Value: JSONCoded & ExpressibleByNilLiteral {
  static var blank: Self { Self(v6only: nil, reuseaddr: nil, reuseport: nil) }

  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    try form.field("v6only", &v6only)
    try form.field("reuseaddr", &reuseaddr)
    try form.field("reuseport", &reuseport)
  }
}

/// What the report says of the flags, each part by itself.
private struct FlagFields {
  var values: ByFlag<Bool?>
  var sources: ByFlag<String?>
  var reasons: ByFlag<String?>
  /// The sockets that flags were guessed from.
  var relatives: ByFlag<SocketID?>

  init(_ flags: ByFlag<Knowledge<Bool>?>) {
    values = flags.map { $0?.shown }
    sources = flags.map { $0.flatMap(sourceName) }
    reasons = flags.map { $0?.unknownReason?.rawValue }
    relatives = flags.map { $0.flatMap(relative).map(SocketID.init) }
  }

  /// v6only is nil where the socket has no such option: neither a source nor a reason.
  func knowledge<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) -> ByFlag<Knowledge<Bool>?> {
    let known = ByFlag(
      v6only: try one("v6only", values.v6only, sources.v6only, reasons.v6only, relatives.v6only, &form),
      reuseaddr: try one(
        "reuseaddr", values.reuseaddr, sources.reuseaddr, reasons.reuseaddr, relatives.reuseaddr, &form),
      reuseport: try one(
        "reuseport", values.reuseport, sources.reuseport, reasons.reuseport, relatives.reuseport, &form))
    for (key, flag) in [("reuseaddr", known.reuseaddr), ("reuseport", known.reuseport)] where flag == nil {
      try form.expect(key, false, "\"\(key)\" is not known, and nothing says why")
    }
    return known
  }

  private func one<Form: JSONForm>(
    _ key: String, _ value: Bool?, _ source: String?, _ reason: String?, _ relative: SocketID?, _ form: inout Form
  ) throws(Form.Failure) -> Knowledge<Bool>? {
    // A reason that a newer version added is one more why it could not be looked at.
    let reason = reason.map { UnknownReason(rawValue: $0) ?? .hidden }
    guard let source else {
      try form.expect(key, value == nil, "\"\(key)\" is known, and nothing says where from")
      return reason.map { .unknown($0) }
    }
    try form.expect("sources", value != nil, "a source for \"\(key)\", which is not known")
    guard let value else { return nil }
    if let evidence = EvidenceSource(rawValue: source) { return .known(value, evidence) }
    // How sure a source that a newer version added can make one is not known here.
    guard source == "inferred" else { return .unknown(reason ?? .hidden) }
    try form.expect("sources", reason != nil && relative != nil, "nothing says what \"\(key)\" was guessed from")
    guard let reason, let relative else { return nil }
    return .inferred(value, from: relative.index, because: reason)
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
    try form.expect("fds", descriptors.allSatisfy { $0 >= 0 }, "expected numbers of descriptors")
    try form.field("unit", &unit)
    try form.field("container", &container)
    try form.field("container_engine", &containerEngine)
    try form.field("user_manager", &userManager)
    try form.field("forwards_to", &forwardsTo)
    try form.field("parent", &parent)
    try form.expect("parent", parent ?? 0 >= 0, "expected the number of a process")
    try form.field("gone_leader", &goneLeader)
    try form.expect("gone_leader", goneLeader ?? 0 >= 0, "expected the number of a process")
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
  static var blank: Self { Self(kind: "") }

  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    try form.field("kind", &kind)
    try form.field("interface", &interface)
  }
}
