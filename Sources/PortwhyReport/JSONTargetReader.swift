internal import BindRules
internal import Explanation
internal import PortwhyKit
internal import SocketModel

// One target with its plan and attempts, as JSONReport writes it.

extension TargetReport {
  init(reading value: JSONValue) throws(ReportReadError) {
    let transport = try value.word("protocol", TransportProtocol.self)
    let port = Port(try value.integer("port"))
    let places = try value.elements("sockets")
    let sockets = try places.map { (place) throws(ReportReadError) in
      let socket = try SocketObservation(reading: place, among: places.count)
      guard socket.transport == transport, socket.local.port == port else {
        throw place.error("a socket of another port")
      }
      return socket
    }
    self.init(
      transport: transport, port: port, plan: try Plan(reading: try value.required("plan")),
      verdict: try value.verdict(), sockets: sockets,
      attempts: try value.elements("attempts").map { (attempt) throws(ReportReadError) in
        try AttemptReport(reading: attempt, transport: transport, port: port, sockets: sockets.count)
      },
      notes: try value.notes(),
      buckets: try value.optionalElements("buckets")?.map { (bucket) throws(ReportReadError) in
        try BindBucket(reading: bucket, port: port)
      } ?? [], isChainOrdered: try value.optionalBool("chain_is_ordered") ?? false)
  }
}

extension BindBucket {
  init(reading value: JSONValue, port: Port) throws(ReportReadError) {
    var fastReuseport: FastReuseport?
    if let word = try value.optional("fast_reuseport") {
      let text = try word.string()
      guard let known = [FastReuseport.any, .strict].first(where: { fastReuseportWord($0) == text }) else {
        throw word.error("expected \"any\" or \"strict\"")
      }
      fastReuseport = known
    }
    self.init(
      port: port, layer3Domain: try value.optionalInterfaceIndex("layer3_domain"),
      fastReuse: try value.bool("fast_reuse"), fastReuseport: fastReuseport,
      fastUID: try value.integer("fast_uid"), fastFamily: try value.word("fast_family", AddressFamily.self),
      fastAddress: try value.ipv6Address("fast_address"), fastAddress4: try value.ipv4Address("fast_address4"),
      fastIPv6only: try value.bool("fast_ipv6only"))
  }
}

extension Plan {
  init(reading value: JSONValue) throws(ReportReadError) {
    self.init(
      options: try value.reuseOptions(), v6only: try value.optionalBool("v6only"),
      device: try value.optionalString("device"), uid: try value.integer("uid"),
      runtime: try value.optionalString("runtime"))
  }
}

extension AttemptReport {
  init(
    reading value: JSONValue, transport: TransportProtocol, port: Port, sockets: Int
  ) throws(ReportReadError) {
    let places = try value.elements("outcomes")
    let outcomes = try places.map { (place) throws(ReportReadError) in
      try BindOutcome(reading: place, transport: transport, sockets: sockets)
    }
    guard outcomes.map(\.options) == ReuseOptions.combinations else {
      throw try value.required("outcomes").error("expected the four combinations of options in their order")
    }
    self.init(
      attempt: try BindAttempt(reading: value, transport: transport, port: port), outcomes: outcomes,
      explanation: try Explanation(reading: value, sockets: sockets))
  }
}

extension BindAttempt {
  init(reading value: JSONValue, transport: TransportProtocol, port: Port) throws(ReportReadError) {
    let address = try value.address("address")
    guard try value.word("family", AddressFamily.self) == address.family else {
      throw try value.required("family").error("not the family of the address")
    }
    var device: BindDevice?
    if let name = try value.optionalString("device") {
      device =
        try value.optionalInterfaceIndex("device_index").map { .interface($0, name: name) } ?? .missing(name: name)
    }
    let scope = try value.optionalInterfaceIndex("scope_index")
    self.init(
      transport: transport, address: address, scope: scope,
      missingZone: scope == nil ? try value.optionalString("scope") : nil, port: port,
      v6only: try value.optionalBool("v6only") ?? false, device: device, uid: try value.integer("uid"),
      mayBindPrivileged: try value.optionalBool("may_bind_privileged"))
  }
}

extension BindOutcome {
  init(reading value: JSONValue, transport: TransportProtocol, sockets: Int) throws(ReportReadError) {
    self.init(
      options: try value.reuseOptions(), bind: try CallResult(reading: try value.required("bind")),
      listen: try value.optional("listen").map { (listen) throws(ReportReadError) in
        try CallResult(reading: listen)
      },
      source: try value.word("source", OutcomeSource.self),
      blockers: try value.elements("blockers").map { (blocker) throws(ReportReadError) in
        Blocker(
          socket: try blocker.socketIndex("socket", among: sockets), rule: try blocker.word("rule", BindRule.self))
      },
      missing: try value.elements("missing").map { (fact) throws(ReportReadError) in
        try MissingFact(reading: fact, sockets: sockets)
      })
  }
}

extension MissingFact {
  /// `kind`, or `kind:socket` for a fact of one socket.
  init(reading value: JSONValue, sockets: Int) throws(ReportReadError) {
    let parts = try value.string().split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard let kind = Kind(rawValue: String(parts[0])) else {
      throw value.error("unknown fact \"\(parts[0].prefix(40))\"")
    }
    guard parts.count == 2 else {
      self.init(kind)
      return
    }
    guard let socket = Int(parts[1]), (0..<sockets).contains(socket), String(socket) == parts[1] else {
      throw value.error("there is no socket \"\(parts[1].prefix(40))\"")
    }
    self.init(kind, socket: socket)
  }
}

extension CallResult {
  init(reading value: JSONValue) throws(ReportReadError) {
    switch try value.string() {
    case "ok": self = .ok
    case "undetermined": self = .undetermined
    case let name:
      guard let error = SystemError(reportName: name) else {
        throw value.error("unknown errno \"\(name.prefix(40))\"")
      }
      self = .fails(error)
    }
  }
}

extension SystemError {
  /// The symbolic name, or `errno N`.
  fileprivate init?(reportName name: String) {
    if let error = SystemError(name: name) {
      self = error
    } else if name.hasPrefix("errno "), let number = Int32(name.dropFirst(6)),
      SystemError(rawValue: number).description == name
    {
      self.init(rawValue: number)
    } else {
      return nil
    }
  }
}

extension Explanation {
  init(reading value: JSONValue, sockets: Int) throws(ReportReadError) {
    self.init(
      cause: try value.optionalString("cause").map(Cause.init(rawValue:)),
      why: try value.elements("why").map { (sentence) throws(ReportReadError) in try sentence.string() },
      receives: try value.elements("receives").map { (receipt) throws(ReportReadError) in
        try Receipt(reading: receipt, sockets: sockets)
      },
      notes: try value.notes(),
      suggestions: try value.elements("suggestions").map { (suggestion) throws(ReportReadError) in
        try Suggestion(reading: suggestion)
      })
  }
}

extension Receipt {
  init(reading value: JSONValue, sockets: Int) throws(ReportReadError) {
    self.init(
      traffic: try value.word("traffic", Traffic.self), family: try value.optionalWord("family", AddressFamily.self),
      receiver: try value.word("receiver", Receiver.self), rule: try value.word("rule", Rule.self),
      sockets: try value.elements("sockets").map { (socket) throws(ReportReadError) in
        try socket.socketIndex(among: sockets)
      },
      text: try value.string("text"))
  }
}

extension Suggestion {
  init(reading value: JSONValue) throws(ReportReadError) {
    let certainty: Certainty
    switch try value.string("certainty") {
    case "checked": certainty = .checked
    case "if": certainty = .conditional(try value.string("condition"))
    default: throw try value.required("certainty").error("expected \"checked\" or \"if\"")
    }
    self.init(
      kind: try value.string("kind"), option: try value.optionalString("option"), certainty: certainty,
      text: try value.string("text"), command: try value.optionalString("command"))
  }
}

extension JSONValue {
  fileprivate func verdict() throws(ReportReadError) -> CallResult? {
    guard let verdict = try optional("verdict") else { return nil }
    switch try verdict.string() {
    case "ok": return .ok
    case "undetermined": return .undetermined
    case "fails": return try CallResult(reading: try required("errno"))
    default: throw verdict.error("unknown verdict")
    }
  }

  fileprivate func reuseOptions() throws(ReportReadError) -> ReuseOptions {
    (try bool("reuseaddr") ? .reuseaddr : ReuseOptions()).union(try bool("reuseport") ? .reuseport : [])
  }

  fileprivate func notes() throws(ReportReadError) -> [Note] {
    try elements("notes").map { (note) throws(ReportReadError) in
      Note(kind: try note.string("kind"), text: try note.string("text"))
    }
  }
}
