import BindRules
import SocketModel

/// Why two addresses that are written differently collide; empty where they are the same.
func howTheyMeet(_ situation: Situation, _ cause: Cause?) -> [String] {
  let attempt = situation.attempt
  let sockets = situation.blockingSockets
  if cause == .leftoverDualStackConnection {
    return [
      "a connection that came in through a dual-stack listener (IPV6_V6ONLY off) counts for IPv4 too, whatever its"
        + " address"
    ]
  }
  let named = sockets.filter { [.listener, .bound, .udp].contains(situation.role($0)) && $0.remote == nil }
  let overlaps = Set(named.map { AddressOverlap(attempt, $0) })
  guard !overlaps.contains(.same), let first = named.first else { return [] }
  if overlaps.contains(.wildcard) {
    let (wildcard, other) =
      attempt.address.plain.isUnspecified
      ? (attempt.address, first.local.address) : (first.local.address, attempt.address)
    let family = wildcard.plain.family == .ipv4 ? "IPv4" : "IPv6"
    return ["\(wildcard) stands for every \(family) address of the host, \(other) included"]
  }
  if overlaps.contains(.dualStack), attempt.address.plain.family == .ipv6 {
    return ["binding [\(attempt.address)] with IPV6_V6ONLY off claims the port for IPv4 too"]
  }
  if overlaps.contains(.dualStack) {
    return ["IPV6_V6ONLY is off there, so [\(first.local.address)]:\(attempt.port) has the port for IPv4 too"]
  }
  return []
}
