import SocketModel

// The conflict check of an explicit UDP bind(2), `udp_lib_get_port` with a port.

/// What one socket of the chain does to a bind: the first that is not `.passed` decides, whatever stands behind it.
enum UDPChainStep: Hashable {
  /// It has nothing to do with the bind.
  case passed
  /// Both set SO_REUSEPORT and belong to one user: the bind works, the rest of the chain is not looked at.
  case grants
  case refuses
}

/// The body of the loops of the kernel functions `udp_lib_lport_inuse` and `udp_lib_lport_inuse2`, for a fresh
/// socket, which has no SO_REUSEPORT group yet.
func udpChainStep(_ sk: KernelSocket, _ sk2: KernelSocket) -> UDPChainStep {
  if sk.reuse && sk2.reuse { return .passed }
  if let device = sk.boundDevice, let device2 = sk2.boundDevice, device != device2 { return .passed }
  guard inetReceiveAddressesEqual(sk, sk2) else { return .passed }
  return sk.reuseport && sk2.reuseport && sk.uid == sk2.uid ? .grants : .refuses
}
