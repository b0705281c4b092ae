internal import Answers
internal import BindRules
internal import Explanation
internal import SocketModel

extension TargetReport: JSONObject {
  static var blank: Self {
    Self(transport: .tcp, port: Port(0), plan: .blank, verdict: nil, sockets: [], attempts: [])
  }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    try form.field("protocol", &transport)
    try form.field("port", &port)
    form.context.transport = transport
    form.context.port = port
    form.context.nextSocketID = 0
    try form.field("plan", &plan)
    try verdict(&form)
    try form.field("sockets", &sockets)
    try form.field("attempts", &attempts)
    try form.field("notes", &notes, else: [])
    try form.field("buckets", &buckets, else: [])
    try form.field("chain_is_ordered", &isChainOrdered, else: false)
    try form.field("ours", &oursMatched)
    try form.field("wildcard_misses_addresses", &wildcardMissesAddresses)
    try form.expectSocketIDs(below: sockets.count)
  }

  private mutating func verdict<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    var word = saysOurs ? OursFinding.verdictWord : verdict.map(verdictWord)
    var errno = verdict.flatMap(errnoName)
    try form.field("verdict", &word)
    try form.field("errno", &errno)
    guard Form.reads else { return }
    saysOurs = word == OursFinding.verdictWord
    verdict = word.map { word in
      word == "fails" || saysOurs ? errno.map(CallResult.init(word:)) ?? .undetermined : CallResult(word: word)
    }
  }
}

extension TargetReport {
  /// The predicates of `ours`; nil where none was asked about.
  fileprivate var oursMatched: [String]? {
    get { ours?.matched }
    set { ours = newValue.map { OursFinding(matched: $0, decides: saysOurs) } ?? (saysOurs ? ours : nil) }
  }

  /// The verdict is `ours`.
  fileprivate var saysOurs: Bool {
    get { ours?.decides ?? false }
    set { ours = newValue ? OursFinding(matched: [], decides: true) : nil }
  }
}

extension BindBucket: JSONObject {
  static var blank: Self {
    Self(
      port: Port(0), fastReuse: false, fastReuseport: nil, fastUID: 0, fastFamily: .ipv4, fastAddress: .any,
      fastAddress4: .any, fastIPv6only: false)
  }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    port = form.context.port
    try form.field("layer3_domain", &layer3Domain)
    try form.field("fast_reuse", &fastReuse)
    try form.field("fast_reuseport", &fastReuseport)
    try form.field("fast_uid", &fastUID)
    try form.field("fast_family", &fastFamily)
    try form.field("fast_address", &fastAddress)
    try form.field("fast_address4", &fastAddress4)
    try form.field("fast_ipv6only", &fastIPv6only)
  }
}

extension BindBucket.FastReuseport: JSONWord {
  init?(word: String) {
    guard let value = [Self.any, .strict].first(where: { $0.word == word }) else { return nil }
    self = value
  }
  var word: String { self == .any ? "any" : "strict" }
}

extension Plan: JSONObject {
  static var blank: Self { Self() }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    try options.fields(&form)
    try form.field("v6only", &v6only)
    try form.field("device", &device)
    var owner = uid ?? 0
    try form.field("uid", &owner)
    uid = owner
    try form.field("runtime", &runtimeName)
    try form.field("cap_net_bind", &hasBindCapability, else: false)
  }
}

extension ReuseOptions {
  /// Those of the object that it is a part of.
  fileprivate mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    var (reuseaddr, reuseport) = (contains(.reuseaddr), contains(.reuseport))
    try form.field("reuseaddr", &reuseaddr)
    try form.field("reuseport", &reuseport)
    self = (reuseaddr ? .reuseaddr : ReuseOptions()).union(reuseport ? .reuseport : [])
  }
}

// MARK: Attempts

extension AttemptReport: JSONObject {
  static var blank: Self {
    Self(
      attempt: BindAttempt(transport: .tcp, address: .blank, port: Port(0), uid: 0, mayBindPrivileged: nil),
      outcomes: [], explanation: Diagnosis())
  }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    try address(&form)
    var interface = attempt.device.map(deviceName)
    try form.field("device", &interface)
    try form.field("uid", &attempt.uid)
    try form.field("outcomes", &outcomes)
    try form.expect(
      "outcomes", outcomes.map(\.options) == ReuseOptions.combinations,
      "expected the four combinations of options in their order")
    try explanation.fields(&form)
    var zone = attempt.zone(form.context.host)
    try form.field("scope", &zone)
    try form.field("scope_index", &attempt.scope)
    attempt.missingZone = attempt.scope == nil ? zone : nil
    var interfaceIndex = attempt.device.flatMap(deviceIndex)
    try form.field("device_index", &interfaceIndex)
    attempt.device = interface.map { name in
      interfaceIndex.map { .interface($0, name: name) } ?? .missing(name: name)
    }
    try form.field("may_bind_privileged", &attempt.mayBindPrivileged)
    try form.field("freebind", &attempt.freebind, else: false)
    try form.user(attempt.uid)
    form.derived("as", foreign.map(WrittenObject.init))
  }

  private mutating func address<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    attempt.transport = form.context.transport
    attempt.port = form.context.port
    try form.field("address", &attempt.address)
    var family: AddressFamily? = attempt.family
    try form.field("family", &family, else: AddressFamily?.none)
    attempt.family = family ?? attempt.address.family
    try form.expect("family", attempt.family == attempt.address.family, "not the family of the address")
    var v6only = attempt.family == .ipv6 && attempt.isV6onlyKnown ? attempt.v6only : nil
    try form.field("v6only", &v6only)
    attempt.v6only = v6only ?? false
    attempt.isV6onlyKnown = attempt.family == .ipv4 || v6only != nil
  }
}

extension BindOutcome: JSONObject {
  static var blank: Self { Self(options: [], bind: .undetermined, listen: nil) }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    try options.fields(&form)
    try form.field("bind", &bind)
    listen = listenResult(self, transport: form.context.transport)
    try form.field("listen", &listen)
    try form.field("source", &source, else: .rules)
    try form.field("blockers", &blockers)
    try form.field("missing", &missing)
    try form.field("likely", &likely)
  }
}

extension LikelyOutcome: JSONObject {
  static var blank: Self { Self(bind: .ok, listen: nil, assuming: []) }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    try form.field("bind", &bind)
    try form.field("listen", &listen)
    try form.field("assuming", &assuming)
  }
}

extension Assumption: JSONWord {}

extension CallResult: JSONWord {
  /// `ok`, `undetermined`, the symbolic name of an error or `errno N`; any other word is no answer.
  init(word: String) {
    switch word {
    case "ok": self = .ok
    default: self = SystemError(word: word).map { .fails($0) } ?? .undetermined
    }
  }
  var word: String { description }
}

extension Blocker: JSONObject {
  static var blank: Self { Self(socket: 0, rule: .tcpListener) }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    var id = SocketID(socket)
    try form.field("socket", &id)
    socket = id.index
    try form.field("rule", &rule)
  }
}

extension MissingFact: JSONCoded {
  /// In the words of `missingWord`.
  init(from reader: inout JSONReader) throws(JSONError) {
    let offset = reader.cursor.position
    let text = try reader.string()
    let colon = text.utf8.firstIndex(of: UInt8(ascii: ":"))
    guard let kind = Kind.words[colon.map { String(text[..<$0]) } ?? text] else { throw .unknownWord }
    self.init(kind)
    guard let digits = colon.map({ text[$0...].dropFirst() }) else { return }
    guard digits.isDecimal, let id = Int(digits) else { throw .wrong(offset, "expected a socket after \":\"") }
    reader.refers(to: id, at: offset)
    socket = id
  }
  func write(to writer: inout JSONWriter) { writer.string(missingWord(self)) }
}

extension MissingFact.Kind {
  /// Found by hash: `init(rawValue:)` compares with each of them.
  fileprivate static let words = Dictionary(uniqueKeysWithValues: allCases.map { ($0.rawValue, $0) })
}

extension OutcomeSource: JSONWord {}
extension BindRule: JSONWord {}

// MARK: Explanations

extension Diagnosis {
  /// Those of the attempt that it is a part of. Whoever judges a saved report again makes them anew.
  fileprivate mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    try form.field("cause", &causeWord, else: OpenWord<Cause>?.none)
    try form.field("receives", &deliveries, else: [])
    try form.field("notes", &notes, else: [])
    try form.field("suggestions", &suggestions, else: [])
    try form.field("why", &why, else: [])
    try form.field("headline", &headline, else: "")
  }
}

extension OpenWord: JSONWord {}

extension Delivery: JSONObject {
  static var blank: Self {
    Self(traffic: .connections, family: nil, receiver: .this, rule: .lastBound, sockets: [], text: "")
  }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    try form.field("traffic", &traffic)
    try form.field("family", &family)
    try form.field("receiver", &receiver)
    try form.field("rule", &rule)
    var ids = sockets.map { SocketID($0) }
    try form.field("sockets", &ids)
    sockets = ids.map(\.index)
    try form.field("text", &text)
  }
}

extension Delivery.Traffic: JSONWord {}
extension Delivery.Receiver: JSONWord {}
extension Delivery.Rule: JSONWord {}

extension Note: JSONObject {
  static var blank: Self { Self(word: .other(""), text: "") }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    try form.field("kind", &word)
    try form.field("text", &text)
  }
}

extension Suggestion: JSONObject {
  static var blank: Self { Self(word: .other(""), option: nil, certainty: .checked, text: "", command: nil) }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    try form.field("kind", &word)
    try form.field("option", &optionWord)
    var condition: OpenWord<Condition>? = if case .conditional(let word) = certainty { word } else { nil }
    var certaintyWord = condition == nil ? "checked" : "if"
    try form.field("certainty", &certaintyWord)
    try form.field("condition", &condition)
    certainty = certaintyWord == "checked" ? .checked : .conditional(condition ?? .other(""))
    try form.field("text", &text)
    var (line, argv) = (command?.text, command?.argv)
    try form.field("command", &line)
    try form.field("argv", &argv)
    if Form.reads { command = line.map { Command(saved: $0, argv: argv) } }
  }
}

// The member `call`: what a program did, and what became of it.

extension ReportedCall: JSONObject {
  static var blank: Self {
    Self(function: .bind, errno: .addressInUse, endpoint: .blank, pid: 0, tid: 0, command: "", descriptor: 0)
  }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    try form.field("function", &function)
    try form.field("errno", &errno)
    try form.field("address", &endpoint.address)
    try form.field("port", &endpoint.port)
    try form.field("pid", &pid)
    try form.field("tid", &tid)
    try form.field("command", &command)
    try form.field("descriptor", &descriptor)
    try form.field("tries", &tries)
    try form.expect("tries", tries > 0, "expected a whole number from 1 up")
    try form.field("then", &then)
    try form.field("stopped_us", &stoppedMicroseconds)
  }
}

extension ReportedCall.Sequel: JSONObject {
  static var blank: Self { Self(endpoint: .blank, isSame: false) }
  mutating func fields<Form: JSONForm>(_ form: inout Form) throws(Form.Failure) {
    try form.field("address", &endpoint.address)
    try form.field("port", &endpoint.port)
    try form.field("same", &isSame)
  }
}

extension SocketCall: JSONWord {}

extension SystemError: JSONWord {
  /// A name, or `errno N` for a number without one.
  init?(word: String) {
    guard word.hasPrefix("errno ") else {
      self.init(name: word)
      return
    }
    guard let number = Int32(word.dropFirst(6)) else { return nil }
    self.init(rawValue: number)
  }
  var word: String { description }
}
