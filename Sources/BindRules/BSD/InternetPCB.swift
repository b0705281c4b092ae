import SocketModel

/// A bound socket as bind(2) of a BSD sees it: the fields of the kernel's `struct inpcb` that its rules read, all known.
struct InternetPCB: Hashable {
  /// `inp_vflag`: the families whose packets it takes.
  struct Families: OptionSet, Hashable {
    let rawValue: UInt8
    /// INP_IPV4.
    static let ipv4 = Families(rawValue: 1)
    /// INP_IPV6.
    static let ipv6 = Families(rawValue: 2)
  }

  /// One bit, or both for `::` without IPV6_V6ONLY.
  var families: Families
  /// INP_IPV6PROTO: the socket is of AF_INET6, whatever its address.
  var isIPv6Socket: Bool
  /// `inp_laddr`: 0.0.0.0 for a dual socket.
  var address4: IPv4Address
  /// `in6p_laddr`, with its scope embedded.
  var address6: ScopedIPv6Address
  /// It has a peer address: connected, any TCP state after LISTEN, TIME_WAIT too.
  var isConnected: Bool
  /// `so_options`, as they are now.
  var options: BSDOptions
  /// `cr_uid` of `inp_cred`: the effective uid at socket(2).
  var uid: UInt32
}

/// What is known of an existing socket as far as the rules of a BSD look at it: an `InternetPCB` with gaps.
struct PCBFacts: Hashable {
  var family: AddressFamily
  var local: IPAddress
  var scope: InterfaceIndex?
  /// It has a peer.
  var isConnected: Bool
  /// The peer has an IPv4 address.
  var isPeerIPv4: Bool
  /// nil where it is not known; AF_INET has none.
  var v6only: Bool?
  var reuseaddr: Bool?
  var reuseport: Bool?
  var reuseportLB: Bool?
  var uid: UInt32?

  /// The families it takes packets of; nil where that hangs on its IPV6_V6ONLY, which is not known.
  private var families: InternetPCB.Families? {
    switch local {
    case .v4: return .ipv4
    case .v6(let address) where address.mapped != nil: return .ipv4
    case .v6(let address):
      // connect(2) and accept(2) leave one.
      if isConnected { return isPeerIPv4 ? .ipv4 : .ipv6 }
      guard address == .any else { return .ipv6 }
      return v6only.map { $0 ? .ipv6 : [.ipv4, .ipv6] }
    }
  }
}

extension PCBFacts {
  /// nil for what is in no table of a BSD: a handshake (it has its syncache for these), and a TCP socket whose connection is
  /// over while its descriptor is still open (`in_pcbdrop`), which on Linux keeps its port.
  init?(_ socket: SocketObservation, sharing: BSDSharing) {
    let isOver = socket.transport == .tcp && socket.state == .close && socket.remote != nil
    guard !socket.isRequest, !isOver else { return nil }
    family = socket.family
    local = socket.local.address
    scope = socket.device
    // A UDP socket that is only bound may still show the peer that connect(2) with AF_UNSPEC took from it.
    let isDisconnected = socket.transport == .udp && socket.state == .close
    isConnected = socket.remote != nil && !isDisconnected || socket.isTimeWaitSocket
    isPeerIPv4 = socket.remote.map { $0.address.asReceiveAddress.mapped != nil } ?? false
    v6only = socket.family == .ipv4 ? false : socket.v6only?.sure
    reuseaddr = socket.reuseaddr.sure
    let shares = socket.reuseport.sure
    reuseport = sharing == .reuseport ? shares : false
    reuseportLB = sharing == .reuseportLB ? shares : false
    uid = socket.uid
  }

  /// The planned socket, once it is bound.
  init(_ attempt: BSDAttempt, _ options: BSDOptions, _ system: BSDSystem) {
    self.init(
      family: attempt.address.family, local: attempt.address, scope: attempt.scope, isConnected: false,
      isPeerIPv4: false, v6only: attempt.address.family == .ipv4 ? false : attempt.isV6only(system),
      reuseaddr: options.contains(.reuseaddr), reuseport: options.contains(.reuseport),
      reuseportLB: options.contains(.reuseportLB), uid: attempt.uid)
  }
}

/// What SO_REUSEPORT of the sockets that were seen on Linux is read as, which is both there.
package enum BSDSharing: Sendable, Hashable {
  /// SO_REUSEPORT: as the programs are.
  case reuseport
  /// SO_REUSEPORT_LB: as they would be if they were ported so.
  case reuseportLB
}

extension PCBFacts {
  /// One way the facts could be.
  struct World: Hashable {
    var pcb: InternetPCB
    /// One bit for each gap, in the order of `gaps`.
    var filling: Int
  }

  /// The facts that are missing and that some rule reads.
  var gaps: [MissingFact.Kind] {
    var gaps: [MissingFact.Kind] = []
    if families == nil { gaps.append(.v6only) }
    if reuseaddr == nil { gaps.append(.reuseaddr) }
    if reuseport == nil || reuseportLB == nil { gaps.append(.reuseport) }
    if uid == nil { gaps.append(.uid) }
    return gaps
  }

  /// Every socket these facts could stand for; of an unknown uid there are two.
  func worlds(plannedUID: UInt32) -> [World] {
    let gaps = gaps
    return (0..<(1 << gaps.count)).map { filling in
      func isSet(_ kind: MissingFact.Kind) -> Bool {
        gaps.firstIndex(of: kind).map { filling & (1 << $0) != 0 } ?? false
      }
      var options: BSDOptions = []
      if reuseaddr ?? isSet(.reuseaddr) { options.insert(.reuseaddr) }
      if reuseport ?? isSet(.reuseport) { options.insert(.reuseport) }
      if reuseportLB ?? isSet(.reuseport) { options.insert(.reuseportLB) }
      let families = families ?? (isSet(.v6only) ? .ipv6 : [.ipv4, .ipv6])
      return World(
        pcb: InternetPCB(
          families: families, isIPv6Socket: family == .ipv6, address4: address4, address6: address6,
          isConnected: isConnected, options: options,
          uid: uid ?? (isSet(.uid) ? plannedUID : plannedUID ^ 1)),
        filling: filling)
    }
  }

  var address4: IPv4Address {
    switch local {
    case .v4(let address): address
    case .v6(let address): address.mapped ?? .any
    }
  }

  var address6: ScopedIPv6Address {
    switch local {
    case .v4: .any
    case .v6(let address): ScopedIPv6Address(address, scope: scope)
    }
  }
}
