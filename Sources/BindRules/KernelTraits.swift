import SocketModel

/// How the rules of the running kernel differ from those of 6.8 and later.
struct KernelTraits {
  /// The bucket's `fastreuse` still lets SO_REUSEADDR sockets pass unseen: until the bhash2 rewrite of 6.8.
  var hasReuseaddrShortcut: Bool
  /// A wildcard UDP bind looks for conflicts in the address table too when the slot of the port is crowded, and
  /// misses sockets bound to one address: until "udp: Fix wildcard bind conflict check when using hash2" (7.0 and
  /// stable releases of spring 2026). nil where the version number does not tell.
  var udpWildcardBindMayMissAddresses: Bool?

  init(_ kernel: KernelVersion) {
    hasReuseaddrShortcut = kernel < KernelVersion(major: 6, minor: 8)
    udpWildcardBindMayMissAddresses = kernel < KernelVersion(major: 7, minor: 0) ? nil : false
  }
}
