import SocketModel

/// The checks of the sockets on the port: the tail of `in_pcbbind_setup` and `in6_pcbbind`, since FreeBSD 14.3 the functions
/// `in_pcbbind_avail` and `in6_pcbbind_avail`.
struct PortCheck {
  var binder: BSDBinder
  var table: PCBTable
  var system: BSDSystem
  /// The kernel function that makes the checks.
  var function: String

  func rule(_ check: BSDCheck) -> BSDRule { BSDRule(check: check, function: function) }

  func make(_ steps: inout BSDSteps) {
    let conflict = rule(isOptionSet ? .sameAddress : .overlap)
    let asksUsers = !binder.isMulticast && !binder.isRoot
    switch binder.address {
    case .ipv4(let address, let isIPv6Socket):
      if asksUsers {
        steps.make {
          table.step(rule(.otherUser), wide(.ipv4(address))) { belongsToOther($0, than: binder, at: address) }
        }
      }
      steps.make {
        table.step(conflict, narrow(.ipv4(address))) { pcb in
          let isForgiven = address == .any && pcb.address4 == .any && isIPv6Socket && pcb.isIPv6Socket
          return !sharesOption(pcb) && !isForgiven
        }
      }
    case .ipv6(let address, let isDual):
      if asksUsers {
        steps.make {
          table.step(rule(.otherUser), wide(.ipv6(address))) { belongsToOther($0, than: binder, at: address) }
        }
        if isDual {
          steps.make {
            table.step(rule(.otherUser), wide(.ipv4(.any))) { belongsToOtherBesideDual($0, than: binder) }
          }
        }
      }
      steps.make { table.step(conflict, narrow(.ipv6(address))) { !sharesOption($0) } }
      if isDual {
        steps.make {
          table.step(conflict, narrow(.ipv4(.any))) { pcb in
            // The AF_INET socket on 0.0.0.0 that was there first keeps its packets.
            let isForgiven = pcb.address4 == .any && !pcb.isIPv6Socket
            return !sharesOption(pcb) && !isForgiven
          }
        }
      }
    }
  }

  private var isOptionSet: Bool { !binder.options.isEmpty }

  private func wide(_ target: LocalLookup.Target) -> LocalLookup {
    LocalLookup(target: target, isWide: true, costOfDualSocket: system.costOfDualSocket)
  }

  /// INPLOOKUP_WILDCARD is asked for only where none of the options is set.
  private func narrow(_ target: LocalLookup.Target) -> LocalLookup {
    LocalLookup(target: target, isWide: !isOptionSet, costOfDualSocket: system.costOfDualSocket)
  }

  /// `reuseport` of the kernel function, a bit of which the other socket must have too.
  var mask: BSDOptions {
    var mask = binder.options.intersection([.reuseport, .reuseportLB])
    guard binder.isMulticast else { return mask }
    if binder.options.contains(.reuseaddr) { mask.formUnion([.reuseaddr, .reuseport]) }
    guard system != .macos else { return mask }
    if binder.options.contains(.reuseport) { mask.formUnion([.reuseaddr, .reuseport]) }
    if !binder.options.isDisjoint(with: [.reuseaddr, .reuseportLB]) { mask.formUnion([.reuseaddr, .reuseportLB]) }
    return mask
  }

  private func sharesOption(_ pcb: InternetPCB) -> Bool { !mask.isDisjoint(with: pcb.options) }
}

// Who counts as another user. Root, whose bind is not asked, may join anybody; nobody may join root.

extension PortCheck {
  private func belongsToOther(_ pcb: InternetPCB, than binder: BSDBinder, at address: IPv4Address) -> Bool {
    guard pcb.uid != binder.uid else { return false }
    let bothWildcard = address == .any && pcb.address4 == .any
    return system == .macos ? !bothWildcard : !isExempt(pcb, bothWildcard: bothWildcard)
  }

  private func belongsToOther(_ pcb: InternetPCB, than binder: BSDBinder, at address: ScopedIPv6Address) -> Bool {
    guard pcb.uid != binder.uid else { return false }
    let bothWildcard = address == .any && pcb.address6 == .any
    guard system == .macos else { return !isExempt(pcb, bothWildcard: bothWildcard) }
    return !(bothWildcard && pcb.options.contains(.reuseport))
  }

  /// The IPv4 side of a dual `::`, which never knew the exemption of SO_REUSEPORT_LB.
  private func belongsToOtherBesideDual(_ pcb: InternetPCB, than binder: BSDBinder) -> Bool {
    guard pcb.uid != binder.uid else { return false }
    guard system == .macos else { return !isExempt(pcb, bothWildcard: false) }
    return !pcb.options.contains(.reuseport) && (pcb.address4 != .any || pcb.isIPv6Socket)
  }

  private func isExempt(_ pcb: InternetPCB, bothWildcard: Bool) -> Bool {
    if system.exemptsConnectionsFromUserCheck && binder.transport == .tcp && pcb.isConnected { return true }
    return system.exemptsReuseportLBFromUserCheck && bothWildcard && pcb.options.contains(.reuseportLB)
      && !pcb.options.contains(.reuseport)
  }
}
