public import SocketModel

extension SocketGlance {
  /// Reads the payload of one sock_diag reply (`struct inet_diag_msg`, see `SocketObservation`).
  public init(parsing bytes: Span<UInt8>, _ payload: Range<Int>) throws(WireError) {
    let inode = try bytes.uint32(at: payload.lowerBound + 68, in: payload, "idiag_inode")
    self.init(
      port: Port(try localPort(of: payload, in: bytes)),
      state: SocketState(rawValue: try bytes.uint8(at: payload.lowerBound + 1, in: payload, "idiag_state")),
      inode: inode == 0 ? nil : UInt64(inode))
  }
}
