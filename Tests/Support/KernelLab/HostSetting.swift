/// A sysctl of the namespace that a scenario may set; `rawValue` is the path below /proc/sys/net.
package enum HostSetting: String, Sendable, Hashable, CaseIterable, Comparable {
  case ipv4NonlocalBind = "ipv4/ip_nonlocal_bind"
  case ipv6NonlocalBind = "ipv6/ip_nonlocal_bind"
  case bindv6only = "ipv6/bindv6only"
  case tcpL3mdevAccept = "ipv4/tcp_l3mdev_accept"
  case unprivilegedPortStart = "ipv4/ip_unprivileged_port_start"

  /// What a fresh namespace has.
  package var defaultValue: Int { self == .unprivilegedPortStart ? 1024 : 0 }

  /// By name.
  package static func < (left: HostSetting, right: HostSetting) -> Bool { left.rawValue < right.rawValue }
}
