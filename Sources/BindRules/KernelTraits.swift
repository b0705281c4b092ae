import SocketModel

/// How `inet_csk_get_port` looks for the sockets in the way of a TCP bind to one address.
enum BucketSearch: Hashable {
  /// In the bucket of the address and those of wildcards (bhash2, since 6.1).
  case byAddress
  /// The same, but ::ffff:0.0.0.0 is not found to cover an IPv4-mapped address: observed on 6.1.
  case byAddressWithoutMappedWildcards
  /// Among all sockets of the port, as for a wildcard: before 6.1.
  case wholePort
}

/// How the rules of the running kernel differ from those of 6.8 and later.
struct KernelTraits {
  /// The bucket's `fastreuse` still lets SO_REUSEADDR sockets pass unseen: until the bhash2 rewrite of 6.8.
  var hasReuseaddrShortcut: Bool
  /// A wildcard UDP bind looks for conflicts in the address table too when the slot of the port is crowded (by
  /// sockets of other ports and namespaces as well), and misses sockets bound to one address: until "udp: Fix
  /// wildcard bind conflict check when using hash2" (7.0 and stable releases of spring 2026). nil where the version
  /// number does not tell.
  var udpWildcardBindMayMissAddresses: Bool?
  /// How a TCP bind to one address may find the sockets in its way: more than one where the version number does not
  /// tell.
  var bucketSearches: [BucketSearch]

  /// Releases that were observed to have the fix, and what came after them in the same series. The numbers of
  /// distributions that stay at the series' first release (Debian's 6.1.0-56) say nothing.
  private static func hasUDPWildcardFix(_ kernel: KernelVersion) -> Bool {
    if kernel >= KernelVersion(major: 7, minor: 0) { return true }
    switch (kernel.major, kernel.minor) {
    case (6, 12): return stableRelease(kernel) >= 117
    case (6, 18): return stableRelease(kernel) >= 44
    default: return false
    }
  }

  /// The third number of a release such as `6.12.117+deb13-amd64`; 0 where there is none.
  private static func stableRelease(_ kernel: KernelVersion) -> Int {
    var (points, number) = (0, 0)
    // Bytes: this is asked once for each socket and combination.
    for byte in kernel.release.utf8 {
      if byte == UInt8(ascii: "."), points < 2 {
        points += 1
      } else if points == 2 {
        guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte), number < 1_000_000 else { break }
        number = number * 10 + Int(byte - UInt8(ascii: "0"))
      }
    }
    return number
  }

  init(_ kernel: KernelVersion) {
    hasReuseaddrShortcut = kernel < KernelVersion(major: 6, minor: 8)
    udpWildcardBindMayMissAddresses = Self.hasUDPWildcardFix(kernel) ? false : nil
    bucketSearches =
      if kernel >= KernelVersion(major: 6, minor: 8) {
        [.byAddress]
      } else if kernel >= KernelVersion(major: 6, minor: 1) {
        [.byAddress, .byAddressWithoutMappedWildcards]
      } else {
        // Distributions carry the second table back.
        [.byAddress, .wholePort]
      }
  }
}
