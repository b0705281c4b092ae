public import SocketModel

/// The reuse options of a planned socket, set before bind(2).
public struct ReuseOptions: OptionSet, Sendable, Hashable {
  /// Bit 0 is SO_REUSEADDR, bit 1 SO_REUSEPORT.
  public let rawValue: UInt8
  /// Bits as `reuseaddr` and `reuseport` have them.
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// SO_REUSEADDR, socket(7).
  public static let reuseaddr = ReuseOptions(rawValue: 1)
  /// SO_REUSEPORT, socket(7).
  public static let reuseport = ReuseOptions(rawValue: 2)

  /// The names of the man page, SO_REUSEADDR first; empty for none.
  package var socketOptions: [String] {
    (contains(.reuseaddr) ? ["SO_REUSEADDR"] : []) + (contains(.reuseport) ? ["SO_REUSEPORT"] : [])
  }

  /// The four combinations, in the order of the report: none, SO_REUSEADDR, SO_REUSEPORT, both.
  package static let combinations: [ReuseOptions] = [[], .reuseaddr, .reuseport, [.reuseaddr, .reuseport]]
}

/// The interface a planned socket is bound to with SO_BINDTODEVICE.
package enum BindDevice: Sendable, Hashable {
  case interface(InterfaceIndex, name: String)
  /// The host has no interface of this name: setsockopt(2) fails with ENODEV.
  case missing(name: String)
}

/// A bind(2), and for TCP the listen(2) after it, that somebody plans: everything of the socket but the two
/// reuse options.
public struct BindAttempt: Sendable, Hashable {
  /// TCP or UDP.
  package var transport: TransportProtocol
  /// AF_INET or AF_INET6.
  package var family: AddressFamily
  /// For AF_INET6 sockets always `.v6`, IPv4-mapped included.
  public var address: IPAddress
  /// `sin6_scope_id`; nil for 0.
  package var scope: InterfaceIndex?
  /// The zone of the address, where the host has no interface of that name: there is no number for `sin6_scope_id`
  /// (if_nametoindex(3)).
  package var missingZone: String?
  /// The port to bind.
  package var port: Port
  /// IPV6_V6ONLY as it is at bind(2); false for AF_INET, and where it is not known.
  package var v6only: Bool
  /// Whether `v6only` is known; false where a saved report does not tell what a new socket starts with.
  package var isV6onlyKnown = true
  /// The interface it is bound to (SO_BINDTODEVICE); nil for none.
  package var device: BindDevice?
  /// The uid the socket is created with (`sk_uid`).
  package var uid: UInt32
  /// CAP_NET_BIND_SERVICE in the user namespace that owns the network namespace; nil where not known.
  package var mayBindPrivileged: Bool?
  /// What setsockopt(2) of the planned IPV6_V6ONLY fails with in this place; nil where it is let pass, or not called.
  package var v6onlyRefusal: SystemError?
  /// IP_FREEBIND is set before bind(2).
  package var freebind = false

  package init(
    transport: TransportProtocol, address: IPAddress, scope: InterfaceIndex? = nil, missingZone: String? = nil,
    port: Port,
    v6only: Bool = false, device: BindDevice? = nil, uid: UInt32, mayBindPrivileged: Bool? = false
  ) {
    self.transport = transport
    self.family = address.family
    self.address = address
    self.scope = scope
    self.missingZone = missingZone
    self.port = port
    self.v6only = v6only
    self.device = device
    self.uid = uid
    self.mayBindPrivileged = mayBindPrivileged
  }
}

// Whether an IPv4 address is one of the host's own. The kernel looks it up in the table `local` (or a VRF's), but
// until the first routing rule is added or deleted that table shares its tree with `main`: a more specific route
// of `main` then hides a local one, and a route of type local in `main` counts as well (`fib_trie_table`,
// `fib_unmerge`). A dump shows the tables apart all the same.

/// Kernel functions `inet_addr_type_table` and `inet_addr_valid_or_nonlocal`.
func inetAddressValidOrNonlocal(
  _ address: IPv4Address, _ device: InterfaceIndex?, _ host: HostFacts
) -> Possible<SystemError?> {
  if address == .any || address.bits == .max || address.isMulticast || host.ipv4NonlocalBind == true {
    return Possible(nil)
  }
  switch isLocal(address, device, host) {
  case true: return Possible(nil)
  case false: return passes(host.ipv4NonlocalBind, else: .addressNotAvailable, missing: .nonlocalBind)
  case nil: return passes(nil, else: .addressNotAvailable, missing: .localAddresses)
  }
}

/// Whether the address is local, broadcast or multicast to the kernel; nil where that cannot be told.
private func isLocal(_ address: IPv4Address, _ device: InterfaceIndex?, _ host: HostFacts) -> Bool? {
  guard let routes = host.ipv4LocalRoutes, let domain = layer3Domain(of: device, host) else { return nil }
  let table = domain.flatMap { host.interface($0)?.vrfTable } ?? 255
  // A table that was never made says RTN_BROADCAST to everything: lo was never up, or the VRF has no address.
  if host.ipv4AbsentTables?.contains(table) == true { return true }
  let byTable = isLocal(address, inTable: routes.filter { $0.table == table }, host)
  guard table == 255, host.ipv4RulesAreDefault != false else { return byTable }
  guard let lookup = host.ipv4Lookups?.first(where: { $0.destination == address }) else {
    // The look-up failed for a reason that says nothing of the type: a blackhole, an interface that is not the loopback's.
    return hasOwnRoute(address, routes) ? byTable : nil
  }
  let byLookup = lookup.type?.isBindable ?? false
  if byTable == byLookup { return byTable }
  // What `local` has, the default rules would have found there first: it is hidden, so the tree is shared. What only
  // `main` has counts if the tree is shared, which nothing shows.
  return host.ipv4RulesAreDefault == true && byTable == true ? byLookup : nil
}

/// The longest match of one table by itself (`fib_table_lookup`); nil where routes of the same prefix disagree.
private func isLocal(_ address: IPv4Address, inTable routes: [LocalRoute], _ host: HostFacts) -> Bool? {
  // Where absent tables were not told apart, no route at all may mean either.
  if routes.isEmpty && host.ipv4AbsentTables == nil { return nil }
  let covering = routes.filter { $0.covers(address) }
  guard let longest = covering.map(\.prefixLength).max() else { return false }
  let answers = Set(covering.filter { $0.prefixLength == longest }.map(\.type.isBindable))
  return answers.count == 1 ? answers.first : nil
}

/// A route of `local` to exactly this address, which nothing in `main` can hide.
private func hasOwnRoute(_ address: IPv4Address, _ routes: [LocalRoute]) -> Bool {
  routes.contains { $0.table == 255 && $0.prefixLength == 32 && $0.destination == address }
}

extension RouteType {
  fileprivate var isBindable: Bool { [.local, .broadcast, .multicast].contains(self) }
}

extension LocalRoute {
  fileprivate func covers(_ address: IPv4Address) -> Bool {
    guard prefixLength > 0 else { return true }
    guard prefixLength <= 32 else { return false }
    return (destination.bits ^ address.bits) >> (32 - UInt32(prefixLength)) == 0
  }
}

/// Whether two sockets would receive at a common address, so that only their options can let them coexist.
///
/// Kernel function `inet_rcv_saddr_equal(sk, sk2, true)`.
func inetReceiveAddressesEqual(_ sk: KernelSocket, _ sk2: KernelSocket) -> Bool {
  switch sk.family {
  case .ipv4:
    ipv4ReceiveAddressesEqual(
      sk.receiveAddress4, sk2.receiveAddress4, secondIPv6only: sk2.ipv6only, secondWildcardMatches: true)
  case .ipv6:
    ipv6ReceiveAddressesEqual(sk, sk2, secondWildcardMatches: true)
  }
}

/// Kernel function `ipv4_rcv_saddr_equal` with `match_sk1_wildcard`.
func ipv4ReceiveAddressesEqual(
  _ first: IPv4Address, _ second: IPv4Address, secondIPv6only: Bool, secondWildcardMatches: Bool
) -> Bool {
  guard !secondIPv6only else { return false }
  return first == second || first == .any || (secondWildcardMatches && second == .any)
}

/// Kernel function `ipv6_rcv_saddr_equal` with `match_sk1_wildcard`.
///
/// An AF_INET `sk2` counts as IPv4-mapped there. Two wildcards meet even where one of them is IPV6_V6ONLY.
func ipv6ReceiveAddressesEqual(_ sk: KernelSocket, _ sk2: KernelSocket, secondWildcardMatches: Bool) -> Bool {
  let (type, type2) = (sk.addressType, sk2.addressType)
  if type == .mapped && type2 == .mapped {
    return ipv4ReceiveAddressesEqual(
      sk.receiveAddress4, sk2.receiveAddress4, secondIPv6only: sk2.ipv6only,
      secondWildcardMatches: secondWildcardMatches)
  }
  if type == .any && type2 == .any { return true }
  if type2 == .any && secondWildcardMatches && !(sk2.ipv6only && type == .mapped) { return true }
  if type == .any && !(sk.ipv6only && type2 == .mapped) { return true }
  return sk.receiveAddress == sk2.receiveAddress
}

/// The VRF a device belongs to: the inner nil is "none", the outer nil "not known".
///
/// Kernel function `l3mdev_master_ifindex_by_index`: the device's VRF master, or the device itself if it is the VRF.
func layer3Domain(of device: InterfaceIndex?, _ host: HostFacts) -> InterfaceIndex?? {
  guard let device else { return .some(nil) }
  guard host.interfaces != nil else { return nil }
  guard let interface = host.interface(device) else { return .some(nil) }
  if interface.vrfTable != nil { return .some(device) }
  guard let master = interface.master, host.interface(master)?.vrfTable != nil else { return .some(nil) }
  return .some(master)
}

/// The layer-3 domain that is part of the key of a TCP bind bucket, since Linux 5.0.
///
/// Kernel function `inet_sk_bound_l3mdev`: none at all with `net.ipv4.tcp_l3mdev_accept`.
func tcpBucketDomain(of device: InterfaceIndex?, _ host: HostFacts) -> InterfaceIndex?? {
  guard case .some(let domain) = layer3Domain(of: device, host) else {
    return host.tcpL3mdevAccept == true ? .some(nil) : nil
  }
  guard domain != nil, let accept = host.tcpL3mdevAccept else { return domain == nil ? .some(nil) : nil }
  return .some(accept ? nil : domain)
}

/// The layer-3 domain of the buckets that an existing socket hangs on.
///
/// Kernel functions `inet_csk_get_port` and `inet_bind_bucket_create`: decided once, by the device and the sysctl of that
/// moment. What they are now says it only where there is no VRF that the device could have joined or left. The bucket
/// by address (since 6.1) of a connection is chosen later, by the listener's device at accept(2)
/// (`__inet_inherit_port`) or the client's at connect(2) (`inet_bhash2_update_saddr`): it is taken for one of the same
/// domain only where device and sysctl still say that domain.
func tcpBucketDomain(of socket: SocketFacts, _ host: HostFacts) -> InterfaceIndex?? {
  if let read = socket.bucketDomain {
    let domain = InterfaceIndex(kernel: read)
    if socket.state == .listen || host.mayHaveVRFs == false { return .some(domain) }
    return tcpBucketDomain(of: socket.boundDevice, host) == .some(domain) ? .some(domain) : nil
  }
  switch host.mayHaveVRFs {
  case false?: return .some(nil)
  // Not looked for, where no socket has a device and there was no driver.
  case nil where socket.boundDevice == nil && host.interfaces == nil: return .some(nil)
  default:
    guard let interfaces = host.interfaces else { return nil }
    // The device may have been in a VRF that has been deleted since, or have been one.
    return interfaces.contains { $0.vrfTable != nil } || socket.boundDevice != nil ? nil : .some(nil)
  }
}

/// What a system call would answer.
public enum CallResult: Sendable, Hashable, CustomStringConvertible {
  case ok
  case fails(SystemError)
  /// Facts are missing that decide.
  case undetermined

  /// The word of the report: `ok`, the errno's name, `undetermined`.
  public var description: String {
    switch self {
    case .ok: "ok"
    case .fails(let errno): errno.description
    case .undetermined: "undetermined"
    }
  }
}

/// The rule that makes a socket stand in the way; `rawValue` is stable and in the report.
package enum BindRule: String, Sendable, Hashable, CaseIterable {
  /// A TCP socket in LISTEN: SO_REUSEADDR never helps against it (`inet_bind_conflict`).
  case tcpListener = "tcp.listener"
  /// A TCP socket in any other state, without SO_REUSEADDR on both sides (`inet_bind_conflict`).
  case tcpReuseaddr = "tcp.reuseaddr"
  /// Both set SO_REUSEPORT, but belong to different users (`inet_bind_conflict`).
  case tcpReuseportUser = "tcp.reuseport-user"
  /// A UDP socket without SO_REUSEADDR on both sides (`udp_lib_lport_inuse`).
  case udpReuseaddr = "udp.reuseaddr"
  /// Both set SO_REUSEPORT, but belong to different users (`udp_lib_lport_inuse`).
  case udpReuseportUser = "udp.reuseport-user"
}

/// A socket of the snapshot that is, or may be, in the way.
package struct Blocker: Sendable, Hashable {
  /// Index into `Snapshot.sockets`.
  package var socket: Int
  /// The rule that finds it in the way.
  package var rule: BindRule

  package init(socket: Int, rule: BindRule) {
    self.socket = socket
    self.rule = rule
  }
}

/// A fact that is missing and could change the answer.
public struct MissingFact: Sendable, Hashable {
  /// What is missing; `rawValue` is stable and in the report.
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    case reuseaddr
    case reuseport
    case v6only
    case uid
    /// The order of earlier binds, kept in the kernel's bind bucket or hash chain and shown nowhere.
    case bindOrder = "bind-order"
    /// Whether the SO_REUSEPORT group that the socket comes into takes one more.
    case reuseportGroup = "reuseport-group"
    /// Sockets that are bound but not listening, on kernels that do not list them.
    case boundSockets = "bound-sockets-of-other-users"
    case capability
    case unprivilegedPortStart = "ip_unprivileged_port_start"
    case localAddresses = "local-addresses"
    case nonlocalBind = "ip_nonlocal_bind"
    case interfaces
    case addressFamily = "address-family"
    case l3mdevAccept = "tcp_l3mdev_accept"
    /// The layer-3 domain (VRF) in which a TCP socket was bound.
    case layer3Domain = "layer3-domain"
    /// Sockets of the port that moved between the kernel's tables each time it was looked at.
    case movingSockets = "moving-sockets"
    /// A rule that differs between kernel versions in a way that cannot be observed.
    case kernelVersion = "kernel-version"
    /// What a seccomp filter makes of bind(2) and listen(2), where it kills who tries.
    case systemCallFilter = "system-call-filter"
    /// What decides beside the rules of the sockets and cannot be seen from outside: content filters, flow divert and
    /// the network namespace of Skywalk on macOS.
    case filters
  }

  /// What is not known.
  public var kind: Kind
  /// The socket whose fact it is (index into `Snapshot.sockets`); nil for a fact of the host.
  package var socket: Int?

  package init(_ kind: Kind, socket: Int? = nil) {
    self.kind = kind
    self.socket = socket
  }
}

/// How an outcome was found.
package enum OutcomeSource: String, Sendable, Hashable {
  case rules
  case probe
}

/// What bind(2) and listen(2) answer to one attempt with one combination of options.
public struct BindOutcome: Sendable, Hashable {
  /// The combination of options that was judged.
  public var options: ReuseOptions
  /// The first failing call of if_nametoindex(3), socket(2), setsockopt(2) and bind(2).
  public var bind: CallResult
  /// nil for UDP and where bind fails; undetermined where bind is.
  public var listen: CallResult?
  /// The rules, or a real bind.
  package var source: OutcomeSource
  /// The sockets that make it fail, or may; ascending.
  package var blockers: [Blocker]
  /// What is missing where `bind` or `listen` is undetermined; empty otherwise.
  public var missing: [MissingFact]
  /// What happens under ordinary assumptions, where `bind` or `listen` is undetermined and there is ground for a guess.
  package var likely: LikelyOutcome?

  package init(
    options: ReuseOptions, bind: CallResult, listen: CallResult?, source: OutcomeSource = .rules,
    blockers: [Blocker] = [], missing: [MissingFact] = [], likely: LikelyOutcome? = nil
  ) {
    self.options = options
    self.bind = bind
    self.listen = listen
    self.source = source
    self.blockers = blockers
    self.missing = missing
    self.likely = likely
  }

  /// The first call that fails decides; then undetermined; else both work.
  public var verdict: CallResult {
    switch (bind, listen ?? .ok) {
    case (.fails, _): bind
    case (_, .fails(let errno)): .fails(errno)
    case (.ok, .ok): .ok
    default: .undetermined
    }
  }
}

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
