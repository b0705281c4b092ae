import SocketModel

/// How `inet_csk_get_port` looks for the sockets in the way of a TCP bind to one address.
enum BucketSearch: Hashable {
  /// In the bucket of the address and those of wildcards (bhash2, since 6.1), as fixed until 6.9.
  case byAddress
  /// ::ffff:0.0.0.0 does not cover ::ffff:127.0.0.1: observed on 6.1.192.
  case byAddressWithoutMappedWildcards
  /// An IPv4-mapped address of one socket is not that of an AF_INET socket. Until "tcp: Fix bind()
  /// regression for v4-mapped-v6 non-wildcard address" (6.6 and stable releases of autumn 2023).
  case byAddressWithoutMapping
  /// Nor does :: cover 127.0.0.1. Until "tcp: Fix bind() conflict check for dual-stack wildcard address"
  /// (6.3 and 6.1.21).
  case byAddressWithinFamily
  /// TIME_WAIT sockets are not in the table: until "tcp: Add TIME_WAIT sockets in bhash2" (6.2 and stable releases).
  case byAddressWithoutTimeWait
  /// Of several buckets of wildcards this one is not the first, the only one that is looked at: until "tcp: Fix bind()
  /// regression for v6-only wildcard and v4-mapped-v6 non-wildcard addresses" (6.9 and stable releases).
  case byAddressWithoutWildcards
  /// A wildcard with IPV6_V6ONLY covers ::ffff:127.0.0.1: until the same commit.
  case byAddressMappedUnderV6only
  /// Among all sockets of the port, as for a wildcard: before 6.1.
  case wholePort
}

/// How the rules of the running kernel differ from those of 6.8 and later, and which of its ways it takes.
struct KernelTraits {
  /// The bucket's `fastreuse` still lets SO_REUSEADDR sockets pass unseen: until the bhash2 rewrite of 6.8.
  var hasReuseaddrShortcut: Bool
  /// A wildcard UDP bind looks for conflicts in the address table too when the slot of the port is crowded (by
  /// sockets of other ports and namespaces as well), and misses sockets bound to one address: until "udp: Fix
  /// wildcard bind conflict check when using hash2" (7.0 and stable releases of spring 2026). nil where the version
  /// number does not tell.
  var udpWildcardBindMayMissAddresses: Bool?
  /// How a TCP bind to one address may find the sockets in its way: more than one where the version number does not
  /// tell, as stable releases and distributions backport the fixes.
  var bucketSearches: [BucketSearch]
  /// Of several wildcard buckets that cover an address the first alone may be looked at.
  var mayLookInOneWildcardBucket: Bool
  /// Whether a UDP chain holds more than ten sockets, those of other ports and namespaces included, so that a bind to one
  /// address looks at the chains of addresses instead. nil: it cannot be seen.
  var udpChainIsCrowded: Bool?

  /// Releases that were observed to have the fix, and what came after them in the same series.
  private static func hasUDPWildcardFix(_ kernel: KernelVersion) -> Bool {
    if kernel >= KernelVersion(major: 7, minor: 0) { return true }
    switch (kernel.major, kernel.minor) {
    case (6, 12): return (kernel.stable ?? 0) >= 117
    case (6, 18): return (kernel.stable ?? 0) >= 44
    default: return false
    }
  }

  init(_ kernel: KernelVersion) {
    hasReuseaddrShortcut = kernel < KernelVersion(major: 6, minor: 8)
    udpWildcardBindMayMissAddresses = Self.hasUDPWildcardFix(kernel) ? false : nil
    let hasTable = kernel >= KernelVersion(major: 6, minor: 1)
    mayLookInOneWildcardBucket = hasTable && kernel < KernelVersion(major: 6, minor: 9)
    bucketSearches = [.byAddress]
    // Distributions carry the second table back.
    if !hasTable { bucketSearches.append(.wholePort) }
    if mayLookInOneWildcardBucket { bucketSearches.append(.byAddressMappedUnderV6only) }
    if hasTable, kernel < KernelVersion(major: 6, minor: 8) {
      bucketSearches.append(.byAddressWithoutMappedWildcards)
    }
    // Of 6.1, the one series of these that lives on, the number tells; early means not known to be late, too.
    let isLongterm = (kernel.major, kernel.minor) == (6, 1)
    let (isEarly, isMiddle) = (isLongterm && kernel.stable ?? 0 < 21, isLongterm && kernel.stable ?? 0 < 60)
    if hasTable, kernel < KernelVersion(major: 6, minor: 6), isMiddle || !isLongterm {
      bucketSearches.append(.byAddressWithoutMapping)
    }
    if isEarly { bucketSearches.append(.byAddressWithoutTimeWait) }
    if isEarly || (kernel.major, kernel.minor) == (6, 2) { bucketSearches.append(.byAddressWithinFamily) }
  }
}
