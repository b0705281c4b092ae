import BindRules
import SocketModel

// Ports whose number a protocol has fixed: whoever needs one is not helped by another, and nobody should be sent there.

extension Situation {
  /// Whether the clients of the port cannot be told another one: the protocol itself, or a table that every host has,
  /// says the number (IANA's registry, and the RFC of each).
  var isFixedByProtocol: Bool {
    let port = attempt.port.rawValue
    return attempt.transport == .tcp ? Self.fixedTCP.contains(port) : Self.fixedUDP.contains(port)
  }

  /// Whether several programs of a host share the port, as the protocol wants: multicast DNS and SSDP.
  var isSharedByProtocol: Bool { attempt.transport == .udp && Self.multicastUDP.contains(attempt.port.rawValue) }

  /// SMTP, DNS, Kerberos, rpcbind, NetBIOS, BGP, SMB, DNS over TLS, NFS, multicast DNS.
  private static let fixedTCP: Set<UInt16> = [25, 53, 88, 111, 135, 137, 138, 139, 179, 445, 853, 2049, 5353]

  /// DNS, DHCP, TFTP, Kerberos, rpcbind, NTP, NetBIOS, SNMP, PTP, IKE, syslog, RIP, DHCPv6, L2TP, SSDP, NFS,
  /// BFD, WS-Discovery, IPsec, VXLAN, NAT-PMP, multicast DNS, LLMNR, GENEVE.
  private static let fixedUDP: Set<UInt16> = [
    53, 67, 68, 69, 88, 111, 123, 137, 138, 161, 162, 319, 320, 500, 514, 520, 521, 546, 547, 1701, 1900, 2049, 3702,
    3784, 4500, 4789, 5350, 5351, 5353, 5355, 6081,
  ]

  private static let multicastUDP: Set<UInt16> = [1900, 5353]

  /// A port that belongs to a protocol or a well-known server, whether or not `/etc/services` of the host names it.
  func isOwned(_ port: UInt16) -> Bool {
    if attempt.transport == .udp && Self.fixedUDP.contains(port) { return true }
    return Self.wellKnown.contains(port)
  }

  /// Above 1023, where servers of that name are looked for: databases, queues, remote desktops, monitors.
  private static let wellKnown: Set<UInt16> = [
    1080, 1194, 1433, 1521, 1883, 2049, 2181, 2375, 2376, 2379, 2380, 3128, 3260, 3306, 3389, 4369, 5060, 5061, 5222,
    5353, 5432, 5601, 5672, 5900, 5985, 5986, 6000, 6379, 6443, 6667, 7687, 8883, 9042, 9090, 9092, 9100, 9200, 9300,
    9418, 10250, 11211, 15672, 25672, 27017,
  ]

  /// Where servers of a privileged port go that may not have it, or may not have it alone.
  var usualAlternative: ClosedRange<UInt16>? {
    guard attempt.transport == .tcp else { return nil }
    return switch attempt.port.rawValue {
    case 21: 2121...2199
    case 22: 2222...2299
    case 80: 8080...8099
    case 443: 8443...8499
    default: nil
    }
  }
}
