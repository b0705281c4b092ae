/// A check of bind(2) on a BSD; `rawValue` is the second half of its word in the report.
package enum BSDCheck: String, Sendable, Hashable, CaseIterable {
  /// The address is none that this protocol may be bound to: multicast, and on macOS 255.255.255.255, with TCP.
  case protocolAddress = "address-family"
  /// The scope id names no interface.
  case scope
  /// An interface has the address.
  case address
  /// The port is one of root's.
  case reservedPort = "reserved-port"
  /// The best fitting socket of the port belongs to another user.
  case otherUser = "user"
  /// Without a reuse option: any socket whose address overlaps.
  case overlap
  /// With one: the newest unconnected socket on exactly the address, unless both have SO_REUSEPORT or SO_REUSEPORT_LB.
  case sameAddress = "same-address"
}

/// A check with the kernel function that makes it.
package struct BSDRule: Sendable, Hashable, CustomStringConvertible {
  /// What is checked.
  package var check: BSDCheck
  /// The kernel function, in the words of that kernel.
  package var function: String

  /// `in_pcbbind_avail.user`: the word of the report.
  package var description: String { function + "." + check.rawValue }
}

/// What bind(2) of a BSD would answer to one attempt with one combination of options. listen(2) checks nothing again.
package struct BSDOutcome: Sendable, Hashable {
  /// The options that the planned socket sets.
  package var options: BSDOptions
  /// Never `.ok` on macOS, which has more in the way than can be seen.
  package var bind: CallResult
  /// What it comes to if what is missing is not in the way; nil where `bind` says it.
  package var likely: CallResult?
  /// The check that refuses, or may; where none does the last one, which lets it pass.
  package var rule: BSDRule
  /// The sockets that the bind meets where it fails, or may: indices into `Snapshot.sockets`, ascending.
  package var blockers: [Int]
  /// What is missing where `bind` is undetermined; empty otherwise.
  package var missing: [MissingFact]

  /// `bind`, or what is likely.
  package var expected: CallResult { likely ?? bind }
}
