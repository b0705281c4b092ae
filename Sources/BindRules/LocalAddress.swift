import SocketModel

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
  return sk2.family == .ipv6 && sk.receiveAddress == sk2.receiveAddress
}
