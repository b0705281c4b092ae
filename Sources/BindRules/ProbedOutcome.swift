package import SocketModel

extension BindOutcome {
  /// This outcome with the answer of a real bind(2) in the place of the rules'.
  ///
  /// A probe never listens. From Linux 6.8 on what let a fresh socket pass at bind(2) lets it pass at listen(2), so
  /// that one is known too. Before, bind(2) may have taken the kernel's SO_REUSEADDR shortcut, which listen(2) does
  /// not take: then it stays undetermined.
  package func settled(by answer: CallResult, on kernel: KernelVersion) -> BindOutcome {
    var settled = self
    settled.source = .probe
    settled.bind = answer
    settled.missing = []
    settled.likely = nil
    switch answer {
    case .undetermined: return self
    case .fails(let errno):
      settled.listen = nil
      if errno != .addressInUse { settled.blockers = [] }
    case .ok where options.contains(.reuseaddr) && KernelTraits(kernel).hasReuseaddrShortcut:
      settled.listen = .undetermined
      settled.missing = [MissingFact(.bindOrder)]
    case .ok:
      settled.listen = .ok
      settled.blockers = []
    }
    return settled
  }
}
