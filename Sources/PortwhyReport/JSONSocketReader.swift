internal import SocketModel

// One socket, as JSONReport writes it.

extension SocketObservation {
  /// `count` is the number of sockets beside it that a guess may refer to.
  init(reading value: JSONValue, among count: Int) throws(ReportReadError) {
    let family = try value.word("family", AddressFamily.self)
    self.init(
      transport: try value.word("protocol", TransportProtocol.self), family: family,
      local: Endpoint(
        address: try value.address("local_address", family), port: Port(try value.integer("local_port"))),
      remote: try value.remote(family), state: try value.state(),
      reuseaddr: try value.flag("reuseaddr", among: count),
      reuseport: try value.flag("reuseport", among: count),
      v6only: try value.optionalFlag("v6only", among: count),
      device: try value.optionalInterfaceIndex("device_index"), uid: try value.optionalInteger("uid"),
      inode: try value.optionalInteger("inode"), cookie: try value.cookie(), ulp: try value.optionalString("ulp"),
      cgroupID: try value.optionalInteger("cgroup_id"), cgroup: try value.optionalString("cgroup"),
      timer: try value.timer(), receiveQueue: try value.optionalInteger("receive_queue") ?? 0,
      owner: try value.word("owner", SocketOwner.self),
      processes: try value.elements("processes").map { (process) throws(ReportReadError) in
        try ProcessRecord(reading: process)
      })
    activation = try value.optional("activation").map { (unit) throws(ReportReadError) in
      SocketActivation(
        unit: try unit.string("unit"), activates: try unit.string("activates"),
        userManager: try unit.optionalInteger("user_manager"))
    }
    kernelOwner = try value.optional("kernel_owner").map { (owner) throws(ReportReadError) in
      KernelOwner(
        word: OpenWord(rawValue: try owner.string("kind")), interface: try owner.optionalString("interface"))
    }
    bucketDomain = try value.optionalInteger("bucket_domain")
    if device == nil, let name = try value.optional("device") {
      throw name.error("a device without its \"device_index\"")
    }
  }
}

extension ProcessRecord {
  init(reading value: JSONValue) throws(ReportReadError) {
    self.init(
      pid: try value.integer("pid", 1...Int32.max), command: try value.string("command"),
      executable: try value.optionalString("executable"),
      descriptors: try value.elements("fds").map { (descriptor) throws(ReportReadError) in
        try descriptor.integer(0...Int32.max)
      }, unit: try value.optionalString("unit"), container: try value.optionalString("container"))
    containerEngine = try value.optionalString("container_engine")
    userManager = try value.optionalInteger("user_manager")
    forwardsTo = try value.optional("forwards_to").map { (endpoint) throws(ReportReadError) in
      Endpoint(address: try endpoint.address("address"), port: Port(try endpoint.integer("port")))
    }
    parent = try value.optionalInteger("parent", 0...Int32.max)
    goneLeader = try value.optionalInteger("gone_leader", 0...Int32.max)
  }
}

extension JSONValue {
  fileprivate func address(_ key: String, _ family: AddressFamily) throws(ReportReadError) -> IPAddress {
    let address = try address(key)
    guard address.family == family else {
      throw try required(key).error("expected an address of the family \(family)")
    }
    return address
  }

  fileprivate func remote(_ family: AddressFamily) throws(ReportReadError) -> Endpoint? {
    guard try optional("remote_address") != nil else { return nil }
    return Endpoint(
      address: try address("remote_address", family), port: Port(try integer("remote_port")))
  }

  /// A name, or `STATE_N` for a number without one.
  fileprivate func state() throws(ReportReadError) -> SocketState {
    let value = try required("state")
    let name = try value.string()
    if let state = SocketState(name: name) { return state }
    guard name.hasPrefix("STATE_"), let number = UInt8(name.dropFirst(6)),
      SocketState(rawValue: number).description == name
    else { throw value.error("unknown state \"\(name.prefix(40))\"") }
    return SocketState(rawValue: number)
  }

  fileprivate func cookie() throws(ReportReadError) -> UInt64 {
    let value = try required("cookie")
    let digits = Array(try value.string().utf8)
    guard digits.count == 16 else { throw value.error("expected 16 hexadecimal digits") }
    var cookie: UInt64 = 0
    for digit in digits {
      guard let digit = hexDigit(digit) else { throw value.error("expected 16 hexadecimal digits") }
      cookie = cookie << 4 | UInt64(digit)
    }
    return cookie
  }

  /// A kind by name, or `timer_N` for a number without one.
  fileprivate func timer() throws(ReportReadError) -> SocketTimer? {
    guard let timer = try optional("timer") else { return nil }
    let name = try timer.string("kind")
    let kind = (UInt8.min...UInt8.max).lazy.map(SocketTimer.Kind.init).first { $0.description == name }
    guard let kind else { throw try timer.required("kind").error("unknown timer \"\(name.prefix(40))\"") }
    return SocketTimer(kind: kind, expires: try timer.integer("expires_ms"))
  }

  // MARK: Flags

  fileprivate func flag(_ key: String, among count: Int) throws(ReportReadError) -> Knowledge<Bool> {
    guard let flag = try optionalFlag(key, among: count) else {
      throw try required(key).error("\"\(key)\" is not known, and nothing says why")
    }
    return flag
  }

  /// nil where the socket has no such option: neither a source nor a reason.
  fileprivate func optionalFlag(_ key: String, among count: Int) throws(ReportReadError) -> Knowledge<Bool>? {
    let value = try optionalBool(key)
    let sources = try required("sources")
    let reason = try optional("unknown_reasons")?.optionalWord(key, UnknownReason.self)
    guard let source = try sources.optionalString(key) else {
      if value != nil { throw try required(key).error("\"\(key)\" is known, and nothing says where from") }
      return reason.map { .unknown($0) }
    }
    guard let value else { throw try sources.required(key).error("a source for \"\(key)\", which is not known") }
    if let evidence = EvidenceSource(rawValue: source) { return .known(value, evidence) }
    guard source == "inferred", let reason, let relatives = try optional("inferred_from") else {
      throw try sources.required(key).error("unknown source \"\(source.prefix(40))\"")
    }
    return .inferred(value, from: try relatives.socketIndex(key, among: count), because: reason)
  }

  func socketIndex(_ key: String, among count: Int) throws(ReportReadError) -> Int {
    try required(key).socketIndex(among: count)
  }

  /// The place of a socket that is there.
  func socketIndex(among count: Int) throws(ReportReadError) -> Int {
    let index: Int = try integer(0...Int(Int32.max))
    guard index < count else { throw error("there is no socket \(index)") }
    return index
  }
}
