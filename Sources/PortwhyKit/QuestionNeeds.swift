import HostEvidence
import SocketModel

extension Question {
  /// The smallest range that covers the ports of each transport asked for.
  var portsByTransport: [TransportProtocol: ClosedRange<UInt16>] {
    items.reduce(into: [:]) { ranges, item in
      let other = ranges[item.transport] ?? item.ports
      ranges[item.transport] =
        min(other.lowerBound, item.ports.lowerBound)...max(other.upperBound, item.ports.upperBound)
    }
  }

  /// The facts of the host that these binds need: what no verdict uses is not read.
  var hostNeeds: HostNeeds {
    var needs: HostNeeds = [
      .networkNamespace, .sudoUser, .unprivilegedPortStart, .localPortRange, .securityModules, .capability,
    ]
    let addresses = items.flatMap(\.addresses)
    if addresses.contains(where: \.mayBeIPv6) { needs.formUnion([.ipv6Availability, .bindv6only]) }
    for case .address(let address, let zone) in addresses {
      needs.insert(.nonlocalBind)
      if zone != nil { needs.insert(.interfaces) }
      switch address {
      case .v4: needs.formUnion([.ipv4LocalRoutes, .interfaces])
      case .v6(let address) where address.mapped != nil: needs.formUnion([.ipv4LocalRoutes, .interfaces])
      case .v6: needs.formUnion([.ipv6Addresses, .interfaces])
      }
    }
    if device != nil { needs.formUnion([.interfaces, .l3mdevAccept]) }
    return needs
  }
}

extension QuestionAddress {
  fileprivate var mayBeIPv6: Bool {
    switch self {
    case .wildcard: true
    case .address(let address, _): address.family == .ipv6
    }
  }
}
