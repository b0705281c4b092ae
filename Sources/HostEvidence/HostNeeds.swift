/// Which facts of the host are to be read: what a verdict does not use is not worth its time.
public struct HostNeeds: OptionSet, Sendable, Hashable {
  /// One bit for each fact.
  public let rawValue: UInt32
  /// Takes any value, known or not.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// `HostFacts.networkNamespace`.
  public static let networkNamespace = HostNeeds(rawValue: 1 << 0)
  /// `HostFacts.sudoUID`.
  public static let sudoUser = HostNeeds(rawValue: 1 << 1)
  /// `HostFacts.readerMayBindPrivileged`, `rootMayBindPrivileged` and `namespaceMaker`.
  public static let capability = HostNeeds(rawValue: 1 << 2)
  /// `HostFacts.unprivilegedPortStart`.
  public static let unprivilegedPortStart = HostNeeds(rawValue: 1 << 3)
  /// `HostFacts.localPortRange`.
  public static let localPortRange = HostNeeds(rawValue: 1 << 4)
  /// `HostFacts.localReservedPorts`.
  public static let localReservedPorts = HostNeeds(rawValue: 1 << 5)
  /// `HostFacts.ipv4NonlocalBind` and `ipv6NonlocalBind`.
  public static let nonlocalBind = HostNeeds(rawValue: 1 << 6)
  /// `HostFacts.bindv6only`.
  public static let bindv6only = HostNeeds(rawValue: 1 << 7)
  /// `HostFacts.tcpL3mdevAccept` and `HostFacts.mayHaveVRFs`.
  public static let l3mdevAccept = HostNeeds(rawValue: 1 << 8)
  /// `HostFacts.ipv6Available`.
  public static let ipv6Availability = HostNeeds(rawValue: 1 << 9)
  /// `HostFacts.interfaces`.
  public static let interfaces = HostNeeds(rawValue: 1 << 10)
  /// `HostFacts.ipv6Addresses`.
  public static let ipv6Addresses = HostNeeds(rawValue: 1 << 11)
  /// `HostFacts.ipv4LocalRoutes`, `ipv4AbsentTables`, `ipv4RulesAreDefault` and `ipv4Lookups`; reads the interfaces
  /// too, for the tables of VRFs.
  public static let ipv4LocalRoutes = HostNeeds(rawValue: 1 << 12)
  /// `HostFacts.securityModules`.
  public static let securityModules = HostNeeds(rawValue: 1 << 13)
  /// `HostFacts.overflowUID`.
  public static let userMapping = HostNeeds(rawValue: 1 << 14)
  /// `HostFacts.controlGroupBindPrograms`.
  public static let controlGroupPrograms = HostNeeds(rawValue: 1 << 15)

  /// `HostFacts.freshSockets`.
  public static let freshSockets = HostNeeds(rawValue: 1 << 16)

  /// All that can be read.
  public static let everything = HostNeeds(rawValue: (1 << 17) - 1)
}
