import SocketModel

/// The weights from which scenarios are drawn; fixed, so that a seed and a number always mean the same scenario.
enum ScenarioMix {
  static let holderCount = Weighted([(3, 1), (4, 2), (3, 3), (2, 4)])
  static let transport = Weighted([(68, TransportProtocol.tcp), (32, .udp)])
  /// In hundredths: a holder of the other transport; an MPTCP holder where TCP; a privileged port.
  static let otherTransport = 3
  static let mptcp = 6
  static let privilegedPort = 8
  /// In hundredths: an attempt on a privileged port, or on any other, without CAP_NET_BIND_SERVICE.
  static let unprivilegedAttempt = 50
  static let unprivilegedElsewhere = 10
  /// In hundredths: a scenario that sets sysctls, one or more.
  static let setting = 12
  static let settings: Weighted<SettingChoice> = Weighted([
    (2, SettingChoice(.ipv4NonlocalBind, 1)), (2, SettingChoice(.ipv6NonlocalBind, 1)),
    (4, SettingChoice(.bindv6only, 1)), (1, SettingChoice(.tcpL3mdevAccept, 1)),
    (2, SettingChoice(.unprivilegedPortStart, 0)), (2, SettingChoice(.unprivilegedPortStart, 40000)),
  ])

  /// TCP kinds.
  static let tcpKinds: Weighted<HolderKind> = Weighted(
    [
      (20, .bound), (24, .listening), (3, .shutDownListener), (5, .queuedChild), (3, .requestInProgress),
      (4, .synSent), (3, .disconnected), (2, .refused), (3, .selfConnected), (5, .visitor),
    ]
      + ConnectionState.allCases.flatMap { state -> [(Int, HolderKind)] in
        let weight = state == .established || state == .timeWait ? 4 : 1
        return [
          (weight, .child(state, listenerStays: true)), (weight, .child(state, listenerStays: false)),
          (state == .established ? 5 : 1, .client(state)),
        ]
      })
  static let udpKinds: Weighted<HolderKind> = Weighted([
    (60, .bound), (20, .connected), (6, .disconnected), (4, .crowd(6)), (5, .crowd(12)), (4, .spread(6)),
    (6, .spread(14)), (5, .neighbours(12)),
  ])
  static let mptcpKinds: Weighted<HolderKind> = Weighted([
    (3, .bound), (3, .listening), (2, .queuedChild), (2, .child(.established, listenerStays: true)),
    (2, .child(.established, listenerStays: false)), (1, .client(.established)), (1, .shutDownListener),
  ])
  /// For clients, and in the second table for what binds and stays.
  static let clientPort = Weighted([(4, PortChoice.explicit), (4, .automatic), (2, .bindAddressNoPort)])
  static let boundPort = Weighted([(92, PortChoice.explicit), (4, .automatic), (4, .bindAddressNoPort)])

  /// Addresses that can carry connections.
  static let addresses: Weighted<IPAddress> = weighted([
    (16, "0.0.0.0"), (16, "127.0.0.1"), (6, "127.0.0.2"), (2, "127.0.0.6"), (5, "10.77.0.1"), (2, "10.78.0.1"),
    (18, "::"), (9, "::1"), (4, "fd77::1"), (2, "fd78::1"), (5, "::ffff:0.0.0.0"), (5, "::ffff:127.0.0.1"),
    (2, "::ffff:127.0.0.2"), (2, "::ffff:10.77.0.1"), (2, "fe80::77"), (1, "fe80::78"),
  ])
  /// Multicast, broadcast, and addresses that are not this host's.
  static let unusualAddresses: Weighted<IPAddress> = weighted([
    (2, "224.0.0.251"), (2, "239.1.2.3"), (2, "255.255.255.255"), (2, "10.77.0.255"), (1, "10.77.0.0"),
    (5, "192.0.2.1"), (2, "ff05::1"), (2, "ff02::fb"), (1, "2001:db8::1"), (3, "::ffff:192.0.2.1"),
    (1, "::ffff:224.0.0.251"), (1, "fe80::99"), (2, "fd77::7e"), (1, "::ffff:10.77.0.255"), (1, "127.1.0.3"),
  ])
  /// In hundredths, for a bound or listening holder and for the attempt; for UDP, which uses them.
  static let unusualAddress = 8
  static let unusualAddressUDP = 16
  /// The other end of connections to wildcards of the four sorts.
  static let ipv4Peers: Weighted<IPAddress> = weighted([(5, "127.0.0.1"), (2, "127.0.0.2"), (2, "10.77.0.1")])
  static let dualPeers: Weighted<IPAddress> = weighted([
    (4, "::1"), (2, "fd77::1"), (3, "127.0.0.1"), (1, "127.0.0.2"), (1, "10.77.0.1"),
  ])
  static let ipv6Peers: Weighted<IPAddress> = weighted([(4, "::1"), (2, "fd77::1")])

  static let v6only: Weighted<Bool?> = Weighted([(5, nil), (2, true), (3, false)])
  /// Bits as in ReuseOptions.
  static let options = Weighted([(28, UInt8(0)), (27, 1), (25, 2), (20, 3)])
  static let uid = Weighted([(60, UInt32(0)), (30, 1000), (10, 1001)])
  static let device: Weighted<LabDevice?> = Weighted([
    (82, nil), (7, .dev0), (7, .dev1), (3, .loopback), (1, .missing),
  ])
  /// In hundredths: a holder has one change; and then a second one.
  static let change = 25
  static let secondChange = 25
  static let changeActions: Weighted<ChangeAction> = Weighted([
    (3, .reuseaddr(true)), (3, .reuseaddr(false)), (3, .reuseport(true)), (3, .reuseport(false)),
    (1, .owner(0)), (2, .owner(1000)), (1, .device(nil)), (1, .device(.dev0)), (1, .device(.dev1)),
    (1, .device(.loopback)),
    (1, .repair(true)), (1, .repair(false)),
  ])

  private static func weighted(_ entries: [(Int, String)]) -> Weighted<IPAddress> {
    Weighted(entries.compactMap { weight, text in IPAddress(text).map { (weight, $0) } })
  }
}

/// A sysctl and a value that differs from a fresh namespace's.
struct SettingChoice: Sendable, CustomStringConvertible {
  var setting: HostSetting
  var value: Int

  init(_ setting: HostSetting, _ value: Int) {
    self.setting = setting
    self.value = value
  }

  var description: String { "\(setting.rawValue)=\(value)" }
}
