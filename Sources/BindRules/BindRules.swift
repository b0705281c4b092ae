package import SocketModel

/// What bind(2), and for TCP listen(2) after it, would answer to `attempt`, for each combination of reuse options.
///
/// The sockets of `snapshot` must be all of the attempt's port and transport, in the order of the kernel's dump.
/// - Returns: four outcomes in the order of `ReuseOptions.combinations`.
package func outcomes(of attempt: BindAttempt, in snapshot: Snapshot) -> [BindOutcome] {
  guard attempt.isV6onlyKnown else { return outcomesOfBoth(attempt, snapshot) }
  let before = errorBeforePort(attempt, snapshot.host)
  let traits = KernelTraits(snapshot.host.kernel)
  return ReuseOptions.combinations.map { outcome(of: attempt, $0, before: before, in: snapshot, traits) }
}

/// Those on which an attempt with IPV6_V6ONLY and one without agree; the others are undetermined.
private func outcomesOfBoth(_ attempt: BindAttempt, _ snapshot: Snapshot) -> [BindOutcome] {
  var (with, without) = (attempt, attempt)
  (with.v6only, with.isV6onlyKnown) = (true, true)
  (without.v6only, without.isV6onlyKnown) = (false, true)
  return zip(outcomes(of: with, in: snapshot), outcomes(of: without, in: snapshot)).map { first, second in
    if (first.bind, first.listen) == (second.bind, second.listen) { return second }
    let mayWork = [first, second].contains { $0.bind == .ok || $0.bind == .undetermined }
    return BindOutcome(
      options: first.options, bind: first.bind == second.bind ? first.bind : .undetermined,
      listen: attempt.transport == .tcp && mayWork ? .undetermined : nil, blockers: second.blockers,
      missing: [MissingFact(.v6only)])
  }
}

/// The outcome of one combination of options.
///
/// - Parameter before: what fails before the port is looked at.
func outcome(
  of attempt: BindAttempt, _ options: ReuseOptions, before: Possible<SystemError?>, in snapshot: Snapshot,
  _ traits: KernelTraits
) -> BindOutcome {
  guard before.answers.contains(nil) else {
    let error = before.sure.flatMap { $0 }
    return BindOutcome(
      options: options, bind: error.map(CallResult.fails) ?? .undetermined,
      listen: error == nil && attempt.transport == .tcp ? .undetermined : nil, missing: before.deciding.asFacts)
  }
  let sk = attempt.kernelSocket(options)
  let portAnswer =
    switch attempt.transport {
    case .tcp: tcpPortAnswer(sk, snapshot, traits)
    case .udp: udpPortAnswer(sk, snapshot, traits)
    }
  return portAnswer.withRoomInGroup(for: sk, attempt.transport, snapshot)
    .outcome(of: attempt, options: options, before: before)
}

/// What get_port answers, with the sockets behind it. `listen` is the second get_port, that of listen(2).
struct PortAnswer {
  var bind: CallResult
  var listen: CallResult
  var blockers: [Blocker] = []
  var missing: [MissingFact] = []

  func outcome(of attempt: BindAttempt, options: ReuseOptions, before: Possible<SystemError?>) -> BindOutcome {
    let listen: CallResult? =
      switch (attempt.transport, bind) {
      case (.udp, _), (_, .fails): nil
      case (.tcp, .ok): self.listen
      case (.tcp, .undetermined): .undetermined
      }
    guard before.sure == .some(nil) else {
      return BindOutcome(
        options: options, bind: .undetermined, listen: attempt.transport == .tcp ? .undetermined : nil,
        blockers: blockers, missing: before.deciding.asFacts + missing)
    }
    return BindOutcome(options: options, bind: bind, listen: listen, blockers: blockers, missing: missing)
  }
}

extension BindAttempt {
  /// `sk_bound_dev_if` at get_port: a link-local scope replaces SO_BINDTODEVICE (`__inet6_bind`).
  var boundDevice: InterfaceIndex? {
    if case .v6(let address) = address, needsScope(address), let scope { return scope }
    if case .interface(let index, _) = device { return index }
    return nil
  }

  /// The planned socket as get_port sees it. Binding to one IPv6 address sets IPV6_V6ONLY before get_port
  /// (`__inet6_bind`).
  func kernelSocket(_ options: ReuseOptions) -> KernelSocket {
    var socket = KernelSocket(
      family: family, receiveAddress: address.asReceiveAddress, ipv6only: family == .ipv6 && v6only,
      reuse: options.contains(.reuseaddr), reuseport: options.contains(.reuseport), uid: uid,
      boundDevice: boundDevice, state: .other)
    if socket.addressType == .other { socket.ipv6only = true }
    return socket
  }
}

extension Set<MissingFact.Kind> {
  /// The facts of the host, in a stable order.
  var asFacts: [MissingFact] {
    MissingFact.Kind.allCases.filter(contains).map { MissingFact($0) }
  }
}
