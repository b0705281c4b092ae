import BindRules
import SocketModel

/// How long TCP_DEFER_ACCEPT keeps a request in SYN_RECV.
let deferAcceptSeconds: Int32 = 60

/// A listener of an earlier holder of the same copy.
struct OtherListener {
  var descriptor: Int32
  /// It has TCP_DEFER_ACCEPT.
  var defersAccept: Bool
}

/// Builds one holder on one port.
struct HolderBuilder {
  let holder: Holder
  let port: UInt16
  let interfaces: [LabDevice: InterfaceIndex]
  /// Listeners of earlier holders: a connection may go to them instead.
  let otherListeners: [OtherListener]
  /// The port of a listener that drops every SYN, for `synSent`.
  let blackholePort: UInt16
  var sockets = HolderSockets()

  mutating func build() throws(CallFailure) {
    switch holder.kind {
    case .bound:
      try bindMain()
    case .listening:
      try listenMain()
    case .shutDownListener:
      try listenMain()
      try shutdown(sockets.main, how: 2)
    case .queuedChild, .requestInProgress, .child:
      try buildListenerWithChild()
    case .client(let state):
      try connectClient(fullWindow: state.needsFullWindow)
      try change(.connection, sockets.main)
      sockets.main = try ConnectionDriver(own: sockets.main, peer: sockets.peer).drive(to: state)
    case .synSent, .refused, .disconnected, .selfConnected, .connected:
      try buildUnusualClient()
    case .crowd(let count):
      try buildCrowd(count)
    case .spread(let count):
      try buildSpread(count)
    case .neighbours(let count):
      try buildNeighbours(count)
    case .visitor:
      try bindMain()
      if let main = sockets.main { closeForGood(main) }
      sockets.main = nil
    }
    try change(.end, sockets.main)
  }

  // MARK: bind and listen

  func scopeIndex(_ device: LabDevice?) -> UInt32 {
    device.flatMap { interfaces[$0]?.rawValue } ?? 0
  }

  /// Opens the main socket and binds it as `holder.port` says; does not bind where connect(2) is to choose.
  mutating func bindMain(inConnect: Bool = false) throws(CallFailure) {
    let main = try SocketRecipe(holder).open()
    sockets.main = main
    let scope = scopeIndex(holder.scope)
    func bind(_ port: UInt16) throws(CallFailure) {
      try step(.bind) { () throws(SystemError) in
        try SystemCalls.bind(main, SocketAddress(holder.address, port: port, scope: scope))
      }
    }
    switch holder.port {
    case .explicit:
      try bind(port)
    case .automatic where inConnect:
      break
    case .automatic:
      try withAutomaticPort { () throws(CallFailure) in try bind(0) }
    case .bindAddressNoPort:
      try step(.option) { () throws(SystemError) in try SystemCalls.setOption(main, .bindAddressNoPort, 1) }
      try bind(inConnect ? 0 : port)
    }
    try change(.afterBind, main)
  }

  mutating func listenMain(deferAccept: Bool = false) throws(CallFailure) {
    try bindMain()
    guard let main = sockets.main else { return }
    if deferAccept {
      try step(.option) { () throws(SystemError) in
        try SystemCalls.setOption(main, .tcpDeferAccept, deferAcceptSeconds)
      }
    }
    try step(.listen) { () throws(SystemError) in try SystemCalls.listen(main, backlog: 128) }
    try change(.afterListen, main)
  }

  /// Lets the kernel choose among one port: the one under test.
  func withAutomaticPort(_ body: () throws(CallFailure) -> Void) throws(CallFailure) {
    let path = "/proc/sys/net/ipv4/ip_local_port_range"
    try step(.portRange) { () throws(SystemError) in try SystemCalls.writeFile(path, "\(port) \(port)") }
    defer { try? SystemCalls.writeFile(path, NetworkNamespace.helperPorts) }
    try body()
  }

  // MARK: changes

  func change(_ moment: ChangeMoment, _ descriptor: Int32?) throws(CallFailure) {
    guard let descriptor else { return }
    for change in holder.changes where change.moment == moment {
      switch change.action {
      case .reuseaddr(let on):
        try step(.reuseaddr) { () throws(SystemError) in
          try SystemCalls.setOption(descriptor, .reuseaddr, on ? 1 : 0)
        }
      case .reuseport(let on):
        try step(.reuseport) { () throws(SystemError) in
          try SystemCalls.setOption(descriptor, .reuseport, on ? 1 : 0)
        }
      case .owner(let uid):
        try step(.owner) { () throws(SystemError) in try SystemCalls.changeOwner(descriptor, uid: uid) }
      case .device(let device):
        try step(.device) { () throws(SystemError) in try setDevice(descriptor, device) }
      case .repair(let on):
        try step(.option) { () throws(SystemError) in
          try SystemCalls.setOption(descriptor, .tcpRepair, on ? 1 : 0)
        }
      case .l3mdevAccept(let on):
        let path = "/proc/sys/net/" + HostSetting.tcpL3mdevAccept.rawValue
        try step(.option) { () throws(SystemError) in try SystemCalls.writeFile(path, on ? "1" : "0") }
      }
    }
  }

  func shutdown(_ descriptor: Int32?, how: Int32) throws(CallFailure) {
    guard let descriptor else { return }
    try step(.shutdown) { () throws(SystemError) in try SystemCalls.shutdown(descriptor, how: how) }
  }
}
