package import BindRules

/// What came of one probe.
package enum ProbeAnswer: Sendable, Hashable {
  /// The first failing call of socket(2), setsockopt(2) and bind(2), or `.ok`; never `.undetermined`.
  case answered(CallResult)
  /// No socket like the planned one could be made; why, in words.
  case refused(String)
}
