package import SocketModel

// What can fail before the port is looked at, in the order in which it is met: the address's zone, socket(2), setsockopt(2),
// then the checks of bind(2) up to get_port in the kernel's order. Security modules and cgroup programs are not folded in:
// they are invisible from here.

/// The error before get_port; nil where everything passes.
func errorBeforePort(_ attempt: BindAttempt, _ options: ReuseOptions, _ host: HostFacts) -> Possible<SystemError?> {
  var host = host
  if attempt.freebind {
    // Kernel functions `inet_can_nonlocal_bind` and `ipv6_can_nonlocal_bind`: as good as the sysctl.
    host.ipv4NonlocalBind = true
    host.ipv6NonlocalBind = true
  }
  switch attempt.family {
  case .ipv4:
    return socketIsMade(attempt, host)
      .then { optionsAreSet(attempt, options, host) }
      .then { deviceExists(attempt, host) }
      .then { passesFilter(host) }
      .then { inetBind(attempt, host) }
  case .ipv6:
    return zoneExists(attempt, host)
      .then { socketIsMade(attempt, host) }
      .then { optionsAreSet(attempt, options, host) }
      .then { deviceExists(attempt, host) }
      .then { passesFilter(host) }
      .then { inet6Bind(attempt, host) }
  }
}

extension Possible where Answer == SystemError? {
  /// The kernel's next check after this one: not made where this one fails; where it may fail, both ways stay open.
  fileprivate func then(_ next: () -> Possible) -> Possible {
    guard answers.contains(nil) else { return self }
    let after = next()
    if sure != nil { return after }
    return Possible(
      answers: answers.subtracting([nil]).union(after.answers), deciding: deciding.union(after.deciding))
  }
}

func passes(_ condition: Bool?, else error: SystemError, missing: MissingFact.Kind) -> Possible<SystemError?> {
  switch condition {
  case true: Possible(nil)
  case false: Possible(error)
  case nil: Possible(answers: [nil, error], deciding: [missing])
  }
}

/// socket(2), as a fresh one told: refused with `ipv6.disable=1`, without the module, by a seccomp filter or a control
/// group program. Where none could be made for want of descriptors or memory, or with an error that is not known here, that
/// is open; in a report of a version that made none, only IPv6 is in question.
private func socketIsMade(_ attempt: BindAttempt, _ host: HostFacts) -> Possible<SystemError?> {
  if let fresh = host.freshSocket(attempt.transport, attempt.family) { return Possible(fresh.refusal) }
  guard attempt.family == .ipv6 || host.freshSockets != nil else { return Possible(nil) }
  if attempt.family == .ipv4 { return passes(nil, else: .addressFamilyNotSupported, missing: .addressFamily) }
  return passes(host.ipv6Available, else: .addressFamilyNotSupported, missing: .addressFamily)
}

/// setsockopt(2) of the reuse options and IPV6_V6ONLY, as a fresh socket told: a seccomp filter or a program of the control
/// group may refuse it. A program that meets two refusals is told of the first; here SO_REUSEADDR, SO_REUSEPORT,
/// IPV6_V6ONLY and SO_BINDTODEVICE are set in this order, as `--probe` does it.
private func optionsAreSet(
  _ attempt: BindAttempt, _ options: ReuseOptions, _ host: HostFacts
) -> Possible<SystemError?> {
  guard let fresh = host.freshSocket(attempt.transport, attempt.family), !fresh.oddOptions.isEmpty else {
    return Possible(nil)
  }
  return Possible(fresh.refusedOption(options)?.refusal ?? attempt.v6onlyRefusal)
}

/// bind(2), as a filter of system calls has it.
private func passesFilter(_ host: HostFacts) -> Possible<SystemError?> {
  guard let filtered = host.filteredCalls else { return Possible(nil) }
  return filtered.areKnown
    ? Possible(filtered.bind) : passes(nil, else: .notPermitted, missing: .systemCallFilter)
}

extension FreshSocket {
  /// The first of these options of which setsockopt(2) fails.
  package func refusedOption(_ options: ReuseOptions) -> OddOption? {
    oddOptions.first { odd in odd.refusal != nil && odd.name.reuseOption.map(options.contains) ?? false }
  }

  /// What a socket has once these options are set, be it that they are refused or swallowed, or there from the start.
  func taken(_ options: ReuseOptions) -> ReuseOptions {
    var taken = options
    for odd in oddOptions {
      guard let option = odd.name.reuseOption else { continue }
      // What is on from the start stays on where a program sets it.
      let isOn = options.contains(option) ? odd.initially || odd.afterwards : odd.initially
      if isOn { taken.insert(option) } else { taken.remove(option) }
    }
    return taken
  }
}

extension OddOption.Name {
  fileprivate var reuseOption: ReuseOptions? {
    switch self {
    case .reuseaddr: .reuseaddr
    case .reuseport: .reuseport
    case .v6only, .device: nil
    }
  }
}

/// if_nametoindex(3), with which a program finds `sin6_scope_id` before it has a socket.
private func zoneExists(_ attempt: BindAttempt, _ host: HostFacts) -> Possible<SystemError?> {
  attempt.missingZone.map { interfaceExists($0, host) } ?? Possible(nil)
}

/// Kernel functions `sock_setbindtodevice` and `sock_bindtoindex_locked`: a socket that has a device already changes it
/// with CAP_NET_RAW alone. Of others than the reader that is not known, root included: it may have less.
private func deviceExists(_ attempt: BindAttempt, _ host: HostFacts) -> Possible<SystemError?> {
  let fresh = host.freshSocket(attempt.transport, attempt.family)
  let refusal = fresh?.odd(.device)?.refusal
  if case .missing(let name) = attempt.device { return refusal.map { Possible($0) } ?? interfaceExists(name, host) }
  guard case .interface(let device, _) = attempt.device, device != fresh?.device else { return Possible(nil) }
  guard fresh?.device != nil else { return Possible(refusal) }
  let may = attempt.uid == host.uid ? host.readerMayChangeDevice : nil
  return passes(may, else: .notPermitted, missing: .capability)
}

/// Of an interface that was not found: among interfaces that nobody could list, or that a report lists without their
/// alternative names, it may be there.
private func interfaceExists(_ name: String, _ host: HostFacts) -> Possible<SystemError?> {
  let isLookedFor = host.checkedNames?.contains(name) ?? true
  return passes(host.interfaces == nil || !isLookedFor ? nil : false, else: .noDevice, missing: .interfaces)
}

/// Kernel function `inet_port_requires_bind_service` and the capability check around it.
private func mayBindPort(_ attempt: BindAttempt, _ host: HostFacts) -> Possible<SystemError?> {
  if attempt.mayBindPrivileged == true { return Possible(nil) }
  guard let start = host.unprivilegedPortStart else {
    return passes(nil, else: .accessDenied, missing: .unprivilegedPortStart)
  }
  guard UInt32(attempt.port.rawValue) < start else { return Possible(nil) }
  return passes(attempt.mayBindPrivileged, else: .accessDenied, missing: .capability)
}

/// The checks of `__inet_bind` in their order: the address, then the port.
private func inetBind(_ attempt: BindAttempt, _ host: HostFacts) -> Possible<SystemError?> {
  guard case .v4(let address) = attempt.address else { return Possible(.invalidArgument) }
  return inetAddressValidOrNonlocal(address, attempt.boundDevice, host).then { mayBindPort(attempt, host) }
}

/// The checks of `__inet6_bind` in their order: multicast, the port, then the address.
private func inet6Bind(_ attempt: BindAttempt, _ host: HostFacts) -> Possible<SystemError?> {
  guard case .v6(let address) = attempt.address else { return Possible(.invalidArgument) }
  if address.isMulticast && attempt.transport == .tcp { return Possible(.invalidArgument) }
  return mayBindPort(attempt, host).then { inet6Address(address, attempt, host) }
}

private func inet6Address(_ address: IPv6Address, _ attempt: BindAttempt, _ host: HostFacts) -> Possible<SystemError?>
{
  if let mapped = address.mapped {
    if attempt.v6only { return Possible(.invalidArgument) }
    return boundDeviceExists(attempt, host).then { inetAddressValidOrNonlocal(mapped, attempt.boundDevice, host) }
  }
  if address == .any { return Possible(nil) }
  if needsScope(address) && attempt.boundDevice == nil { return Possible(.invalidArgument) }
  return boundDeviceExists(attempt, host)
    .then { address.isMulticast ? Possible(nil) : inet6AddressIsLocal(address, attempt, host) }
}

/// Kernel function `__ipv6_addr_needs_scope_id`: link-local, and multicast of link or interface scope.
func needsScope(_ address: IPv6Address) -> Bool {
  if address.isMulticast {
    let scope = address.high >> 48 & 0xf
    return scope == 1 || scope == 2
  }
  return address.isLinkLocal
}

/// `dev_get_by_index_rcu` in `__inet6_bind`: a scope id may name an interface that is not there.
private func boundDeviceExists(_ attempt: BindAttempt, _ host: HostFacts) -> Possible<SystemError?> {
  guard let device = attempt.boundDevice else { return Possible(nil) }
  return passes(
    host.interfaces.map { $0.contains { $0.index == device } }, else: .noDevice, missing: .interfaces)
}

/// Kernel function `ipv6_chk_addr` with the bound device, or any nonlocal bind allowed.
private func inet6AddressIsLocal(_ address: IPv6Address, _ attempt: BindAttempt, _ host: HostFacts) -> Possible<
  SystemError?
> {
  if host.ipv6NonlocalBind == true { return Possible(nil) }
  guard let addresses = host.ipv6Addresses else {
    return passes(nil, else: .addressNotAvailable, missing: .localAddresses)
  }
  let candidates = addresses.filter { $0.address == .v6(address) && !$0.isTentative }
  guard !candidates.isEmpty else {
    return passes(host.ipv6NonlocalBind, else: .addressNotAvailable, missing: .nonlocalBind)
  }
  guard host.interfaces != nil, let domain = layer3Domain(of: attempt.boundDevice, host) else {
    return passes(nil, else: .addressNotAvailable, missing: .interfaces)
  }
  let bindable = candidates.contains { candidate in
    layer3Domain(of: candidate.interface, host) == .some(domain)
      && (attempt.boundDevice == nil || candidate.interface == attempt.boundDevice
        || !(address.isLinkLocal || address == .loopback))
  }
  if bindable { return Possible(nil) }
  return passes(host.ipv6NonlocalBind ?? nil, else: .addressNotAvailable, missing: .nonlocalBind)
}
