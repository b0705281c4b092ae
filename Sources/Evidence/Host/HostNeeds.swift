/// Which facts of the host are to be read: what a verdict does not use is not worth its time.
package struct HostNeeds: OptionSet, Sendable, Hashable {
  /// One bit for each fact.
  package let rawValue: UInt32
  package init(rawValue: UInt32) { self.rawValue = rawValue }

  /// `HostFacts.networkNamespace`.
  package static let networkNamespace = HostNeeds(rawValue: 1 << 0)
  /// `HostFacts.sudoUID`.
  package static let sudoUser = HostNeeds(rawValue: 1 << 1)
  /// `HostFacts.readerMayBindPrivileged`, `rootMayBindPrivileged` and `namespaceMaker`.
  package static let capability = HostNeeds(rawValue: 1 << 2)
  /// `HostFacts.unprivilegedPortStart`.
  package static let unprivilegedPortStart = HostNeeds(rawValue: 1 << 3)
  /// `HostFacts.localPortRange`.
  package static let localPortRange = HostNeeds(rawValue: 1 << 4)
  /// `HostFacts.localReservedPorts`.
  package static let localReservedPorts = HostNeeds(rawValue: 1 << 5)
  /// `HostFacts.ipv4NonlocalBind` and `ipv6NonlocalBind`.
  package static let nonlocalBind = HostNeeds(rawValue: 1 << 6)
  /// `HostFacts.bindv6only`.
  package static let bindv6only = HostNeeds(rawValue: 1 << 7)
  /// `HostFacts.tcpL3mdevAccept` and `HostFacts.mayHaveVRFs`.
  package static let l3mdevAccept = HostNeeds(rawValue: 1 << 8)
  /// `HostFacts.ipv6Available`.
  package static let ipv6Availability = HostNeeds(rawValue: 1 << 9)
  /// `HostFacts.interfaces`.
  package static let interfaces = HostNeeds(rawValue: 1 << 10)
  /// `HostFacts.ipv6Addresses` and `ipv6Disabled`.
  package static let ipv6Addresses = HostNeeds(rawValue: 1 << 11)
  /// `HostFacts.ipv4LocalRoutes`, `ipv4AbsentTables`, `ipv4RulesAreDefault` and `ipv4Lookups`; reads the interfaces
  /// too, for the tables of VRFs.
  package static let ipv4LocalRoutes = HostNeeds(rawValue: 1 << 12)
  /// `HostFacts.securityModules` and `enforcingModules`.
  package static let securityModules = HostNeeds(rawValue: 1 << 13)
  /// `HostFacts.overflowUID`.
  package static let userMapping = HostNeeds(rawValue: 1 << 14)
  /// `HostFacts.controlGroupBindPrograms`.
  package static let controlGroupPrograms = HostNeeds(rawValue: 1 << 15)
  /// `HostFacts.dockerRuns`.
  package static let containerEngines = HostNeeds(rawValue: 1 << 17)

  /// `HostFacts.freshSockets`.
  package static let freshSockets = HostNeeds(rawValue: 1 << 16)

  /// All that can be read.
  package static let everything = HostNeeds(rawValue: (1 << 18) - 1)
}
