internal import BindRules
internal import PortwhyExplanation
internal import PortwhyKit
internal import SocketModel

// `attempts[].as`: what other systems would answer, one object for each.

/// Writes one answer into its object.
///
/// - Parameter texts: The sentences of the screen.
func writeForeign(_ answer: ForeignAnswer, texts: [String], to writer: inout JSONWriter) {
  writer.member("system", answer.system.rawValue)
  writer.objects("outcomes", answer.outcomes) { writer, outcome in
    writer.member("reuseaddr", outcome.options.contains(.reuseaddr))
    writer.member("reuseport", outcome.options.contains(.reuseport))
    let hasOption = answer.system.combinations.contains(.reuseportLB)
    writer.member("reuseport_lb", hasOption ? outcome.options.contains(.reuseportLB) : nil)
    writer.member("bind", outcome.bind.description)
    writer.member("likely", outcome.likely?.description)
    writer.member("rule", outcome.rule.description)
    writer.numbers("blockers", outcome.blockers)
    writer.strings("missing", outcome.missing.map(missingWord))
  }
  writer.object("refused_before", answer.refusedBefore) { writer, refusal in
    writer.member("socket", refusal.socket)
    writer.member("errno", refusal.error.description)
    writer.member("rule", refusal.rule.description)
  }
  writer.objects("differences", answer.differences) { writer, difference in
    writer.member("reuseaddr", difference.options.contains(.reuseaddr))
    writer.member("reuseport", difference.options.contains(.reuseport))
    writer.member("linux", difference.linux.description)
    writer.member("bind", difference.bsd.description)
    writer.member("reason", difference.reason?.rawValue)
  }
  writer.objects("receives", answer.receives) { writer, receipt in
    writer.member("family", receipt.family.rawValue)
    writer.member("receiver", receipt.receiver.word)
    writer.numbers("sockets", receipt.receiver.sockets)
  }
  writer.strings("left_out", answer.leftOut.map(\.rawValue))
  writer.strings("text", texts)
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
