import BindRules
import Evidence
import Explanation
import SocketModel

// The facts of the host that a bind needs: what no verdict uses is not read.

extension Question {
  /// The smallest range that covers the ports of each transport asked for.
  var portsByTransport: ByTransport<ClosedRange<UInt16>> {
    var ranges = ByTransport<ClosedRange<UInt16>>()
    for item in items {
      ranges[item.transport] = ranges[item.transport]?.hull(item.numbers) ?? item.numbers
    }
    return ranges
  }

  var hostNeeds: HostNeeds {
    var needs: HostNeeds = [.networkNamespace, .sudoUser, .localPortRange, .securityModules, .capability]
    needs.formUnion([.unprivilegedPortStart, .localReservedPorts, .userMapping, .controlGroupPrograms, .freshSockets])
    needs.insert(.containerEngines)
    for address in items.flatMap(\.addresses) {
      switch address {
      case .wildcard:
        needs.formUnion([.ipv6Availability, .bindv6only])
        for address in items.flatMap({ plan.runtime?.defaults($0.transport)?.addresses ?? [] }) {
          needs.formUnion(HostNeeds(binding: address))
        }
      case .address(let address, let zone):
        needs.formUnion(HostNeeds(binding: address))
        if zone != nil { needs.insert(.interfaces) }
      }
    }
    if plan.device != nil { needs.formUnion([.interfaces, .l3mdevAccept]) }
    return needs
  }
}

extension Question {
  /// The IPv4 addresses of which is asked whether they are local.
  var lookups: [IPv4Address] {
    items.flatMap { item in
      item.addresses.flatMap { address -> [IPAddress] in
        switch address {
        case .address(let address, _): [address]
        case .wildcard: plan.runtime?.defaults(item.transport)?.addresses ?? []
        }
      }
    }.compactMap(\.localIPv4)
  }
}

extension IPAddress {
  /// The IPv4 address that bind(2) looks up, IPv4-mapped included; nil for every other.
  var localIPv4: IPv4Address? {
    switch self {
    case .v4(let address): address == .any ? nil : address
    case .v6(let address): address.mapped.flatMap { $0 == .any ? nil : $0 }
    }
  }
}

extension BindAttempt {
  var hostNeeds: HostNeeds {
    var needs = HostNeeds(binding: address)
    needs.formUnion([.unprivilegedPortStart, .userMapping, .freshSockets])
    if device != nil || scope != nil { needs.formUnion([.interfaces, .l3mdevAccept]) }
    return needs
  }
}

extension HostNeeds {
  /// What the checks of bind(2) before get_port look at for this address.
  fileprivate init(binding address: IPAddress) {
    self = address.family == .ipv6 ? [.ipv6Availability, .bindv6only] : []
    guard !address.isUnspecified else { return }
    formUnion([.nonlocalBind, .interfaces])
    let isIPv4 = if case .v6(let address) = address { address.mapped != nil } else { true }
    insert(isIPv4 ? .ipv4LocalRoutes : .ipv6Addresses)
  }
}

extension Question {
  /// The interfaces that the question calls by name: that of SO_BINDTODEVICE and the zones of addresses.
  var interfaceNames: [String] {
    let zones = items.flatMap(\.addresses).compactMap { address in
      if case .address(_, let zone) = address { zone } else { nil }
    }
    return (plan.device.map { [$0] } ?? []) + zones
  }
}
