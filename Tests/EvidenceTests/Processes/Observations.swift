import SocketModel

/// A socket as a dump shows it: reuse flags unknown.
func observation(
  inode: UInt64?, family: AddressFamily = .ipv4, state: SocketState = .listen, v6only: Knowledge<Bool>? = nil,
  uid: UInt32? = 0, owner: SocketOwner = .none
) -> SocketObservation {
  SocketObservation(
    transport: .tcp, family: family,
    local: Endpoint(address: family == .ipv4 ? .v4(.any) : .v6(.any), port: Port(8080)), state: state,
    reuseaddr: .unknown(.hidden), reuseport: .unknown(.hidden), v6only: v6only, uid: uid, inode: inode,
    owner: owner)
}
