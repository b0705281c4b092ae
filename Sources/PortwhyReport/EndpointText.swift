internal import BindRules
internal import SocketModel

/// `127.0.0.1`, `[::1]`, `[fe80::1%eth0]`.
func addressText(_ address: IPAddress, zone: String? = nil) -> String {
  switch address {
  case .v4(let address): address.description
  case .v6(let address): "[\(address)" + (zone.map { "%" + TerminalText.escaped($0) } ?? "") + "]"
  }
}

/// `127.0.0.1:80`, `[::1]:80`; link-local addresses with their interface.
func endpointText(_ endpoint: Endpoint, device: InterfaceIndex?, host: HostFacts) -> String {
  var zone: String?
  if case .v6(let address) = endpoint.address, address.isLinkLocal {
    zone = device.map { deviceName($0, host: host) }
  }
  return addressText(endpoint.address, zone: zone) + ":\(endpoint.port)"
}

/// What the attempt binds; the wildcard of IPv6 says when it leaves IPv4 alone.
func addressText(_ attempt: BindAttempt, host: HostFacts) -> String {
  let address = addressText(attempt.address, zone: attempt.zone(host))
  return attempt.v6only && attempt.address.isUnspecified ? address + " (v6only)" : address
}

extension BindAttempt {
  /// The interface of its scope by name; nil for no scope.
  func zone(_ host: HostFacts) -> String? { missingZone ?? scope.map { deviceName($0, host: host) } }
}
