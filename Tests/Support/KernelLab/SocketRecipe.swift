import BindRules
import SocketModel

/// How a socket is made ready for bind(2), the same for holders and trials.
struct SocketRecipe {
  var transport: HolderProtocol
  var address: IPAddress
  var scope: LabDevice?
  var v6only: Bool?
  var device: LabDevice?
  /// In force in socket(2).
  var uid: UInt32
  /// Given by fchown(2).
  var owner: UInt32?
  var options: ReuseOptions

  init(_ holder: Holder) {
    transport = holder.transport
    address = holder.address
    scope = holder.scope
    v6only = holder.v6only
    device = holder.device
    uid = holder.uid
    owner = holder.owner
    options = holder.options
  }

  init(_ attempt: Attempt, _ options: ReuseOptions) {
    transport = attempt.transport == .tcp ? .tcp : .udp
    address = attempt.address
    scope = attempt.scope
    v6only = attempt.v6only
    device = attempt.device
    uid = 0
    owner = attempt.uid == 0 ? nil : attempt.uid
    self.options = options
  }

  /// A socket with all options set, not bound; closed again where one of them fails.
  func open() throws(CallFailure) -> Int32 {
    let descriptor = try step(.socket) { () throws(SystemError) in
      try SystemCalls.asUser(uid) { () throws(SystemError) in
        try SystemCalls.socket(
          family: address.family == .ipv4 ? 2 : 10, type: transport == .udp ? 2 : 1,
          protocol: transport == .mptcp ? 262 : 0)
      }
    }
    do {
      try prepare(descriptor)
      return descriptor
    } catch {
      SystemCalls.close(descriptor)
      throw error
    }
  }

  /// In the order of the rules (`optionsAreSet`): a program is told of the first refusal.
  private func prepare(_ descriptor: Int32) throws(CallFailure) {
    if options.contains(.reuseaddr) {
      try step(.reuseaddr) { () throws(SystemError) in try SystemCalls.setOption(descriptor, .reuseaddr, 1) }
    }
    if options.contains(.reuseport) {
      try step(.reuseport) { () throws(SystemError) in try SystemCalls.setOption(descriptor, .reuseport, 1) }
    }
    if address.family == .ipv6, let v6only {
      try step(.v6only) { () throws(SystemError) in
        try SystemCalls.setOption(descriptor, .v6only, v6only ? 1 : 0)
      }
    }
    if let device { try step(.device) { () throws(SystemError) in try setDevice(descriptor, device) } }
    if let owner {
      try step(.owner) { () throws(SystemError) in try SystemCalls.changeOwner(descriptor, uid: owner) }
    }
  }
}

/// SO_BINDTODEVICE; an empty name for no device.
func setDevice(_ descriptor: Int32, _ device: LabDevice?) throws(SystemError) {
  try SystemCalls.setOption(descriptor, .bindToDevice, bytes: Array((device?.rawValue ?? "").utf8) + [0])
}
