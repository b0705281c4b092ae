internal import BindRules
internal import Answers
internal import Explanation
internal import SocketModel

// `attempts[].as`: what other systems would answer, one object for each. It is written and never read: whoever asks a saved
// report has it judged anew.

/// An object of which only the writer knows.
struct WrittenObject: JSONCoded {
  private var members: [(key: String, value: any JSONCoded)] = []

  init() {}
  init(from reader: inout JSONReader) throws(JSONError) { throw .unknownWord }

  mutating func add(_ key: String, _ value: some JSONCoded) { members.append((key, value)) }

  func write(to writer: inout JSONWriter) {
    writer.literal("{")
    for (number, member) in members.enumerated() {
      if number > 0 { writer.literal(",") }
      writer.string(member.key)
      writer.literal(":")
      member.value.write(to: &writer)
    }
    writer.literal("}")
  }
}

extension WrittenObject {
  init(_ report: ForeignReport) {
    let answer = report.answer
    let hasBalancing = answer.system.combinations.contains(.reuseportLB)
    add("system", answer.system.rawValue)
    add("outcomes", answer.outcomes.map { WrittenObject($0, hasBalancing: hasBalancing) })
    add("refused_before", answer.refusedBefore.map(WrittenObject.init))
    add("differences", answer.differences.map(WrittenObject.init))
    add("receives", answer.receives.map(WrittenObject.init))
    add("left_out", answer.leftOut.map(\.rawValue))
    add("text", report.sentences.map(\.text) + report.remarks)
  }

  private init(_ outcome: BSDOutcome, hasBalancing: Bool) {
    add("reuseaddr", outcome.options.contains(.reuseaddr))
    add("reuseport", outcome.options.contains(.reuseport))
    add("reuseport_lb", hasBalancing ? outcome.options.contains(.reuseportLB) : nil)
    add("bind", outcome.bind.description)
    add("likely", outcome.likely?.description)
    add("rule", outcome.rule.description)
    add("blockers", outcome.blockers)
    add("missing", outcome.missing)
  }

  private init(_ refusal: BSDRefusal) {
    add("socket", refusal.socket)
    add("errno", refusal.error.description)
    add("rule", refusal.rule.description)
  }

  private init(_ difference: BSDDifference) {
    add("reuseaddr", difference.options.contains(.reuseaddr))
    add("reuseport", difference.options.contains(.reuseport))
    add("linux", difference.linux.description)
    add("bind", difference.bsd.bind.description)
    add("likely", difference.bsd.likely?.description)
    add("missing", difference.bsd.missing)
    add("reason", difference.reason?.rawValue)
  }

  private init(_ receipt: BSDReceipt) {
    add("family", receipt.family.rawValue)
    add("receiver", receipt.receiver.word)
    add("sockets", receipt.receiver.sockets)
  }
}

extension BSDReceiver {
  /// The word of the report.
  fileprivate var word: String {
    switch self {
    case .one(.planned): "this"
    case .one: "others"
    case .hash: "hash"
    case .each: "each"
    case .reset: "reset"
    case .silence: "silence"
    case .nobody: "nobody"
    case .undetermined: "undetermined"
    }
  }

  /// The sockets of the report that are meant, the planned one left out.
  fileprivate var sockets: [Int] {
    let members: [BSDMember] =
      switch self {
      case .one(let member), .reset(let member), .silence(let member): [member]
      case .hash(let members), .each(let members), .undetermined(let members): members
      case .nobody: []
      }
    return members.compactMap { if case .socket(let index) = $0 { index } else { nil } }
  }
}
