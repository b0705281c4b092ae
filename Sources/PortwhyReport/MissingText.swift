internal import BindRules

/// What an undetermined answer lacks, in few words.
struct MissingText {
  var facts: [MissingFact]

  /// ` (not known: …)`; what only hides is said as what is seen.
  var inBrackets: String {
    if facts.isEmpty { return "" }
    if facts.allSatisfy({ $0.kind == .boundSockets }) {
      return ": nothing visible is in the way, but sockets that are only bound cannot be seen"
    }
    return " (not known: " + enumeration(items) + ")"
  }

  /// Facts of the same sockets together: `SO_REUSEADDR and SO_REUSEPORT of 2 sockets`.
  private var items: [String] {
    var groups: [(names: [String], sockets: Set<Int>)] = []
    for kind in MissingFact.Kind.allCases {
      let matching = facts.filter { $0.kind == kind }
      if matching.isEmpty { continue }
      let sockets = Set(matching.compactMap(\.socket))
      if let index = groups.firstIndex(where: { $0.sockets == sockets && !sockets.isEmpty }) {
        groups[index].names.append(Self.name(kind))
      } else {
        groups.append(([Self.name(kind)], sockets))
      }
    }
    return groups.map { group in
      enumeration(group.names) + (group.sockets.isEmpty ? "" : " of " + counted(group.sockets.count, "socket"))
    }
  }

  private static func name(_ kind: MissingFact.Kind) -> String {
    switch kind {
    case .reuseaddr: "SO_REUSEADDR"
    case .reuseport: "SO_REUSEPORT"
    case .v6only: "IPV6_V6ONLY"
    case .uid: "the user"
    case .bindOrder: "the order of earlier binds"
    case .reuseportGroup: "whether the SO_REUSEPORT group is full"
    case .boundSockets: "sockets that are only bound"
    case .capability: "CAP_NET_BIND_SERVICE"
    case .unprivilegedPortStart: "net.ipv4.ip_unprivileged_port_start"
    case .localAddresses: "the local addresses"
    case .nonlocalBind: "ip_nonlocal_bind"
    case .interfaces: "the interfaces"
    case .addressFamily: "whether the family is there"
    case .l3mdevAccept: "net.ipv4.tcp_l3mdev_accept"
    case .layer3Domain: "the VRF"
    case .movingSockets: "where sockets are that move between listening, bound and connected"
    case .kernelVersion: "this kernel version's rule"
    }
  }
}
