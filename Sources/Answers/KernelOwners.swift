import Evidence
import Netlink
import SocketModel

/// Names the part of the kernel behind sockets that have an inode and no holder that can be seen.
///
/// Only what the kernel itself says counts: a tunnel that is up, a port of its NFS server. Such sockets are bound by
/// uid 0, where their kind binds them, and not connected; what fits nothing stays hidden.
func findKernelOwners(_ sockets: inout [SocketObservation]) {
  let candidates = sockets.indices.filter { sockets[$0].mayBeKernels }
  guard !candidates.isEmpty else { return }
  var ports: [KernelPort] = []
  if candidates.contains(where: { sockets[$0].transport == .udp }) {
    ports += (try? KernelPortDump().tunnelPorts()) ?? []
    ports += KernelPortDump().synchronisationPorts()
  }
  ports += HostReader().kernelServicePorts()
  nameKernelOwners(&sockets, ports)
}

/// The same with what the kernel said.
func nameKernelOwners(_ sockets: inout [SocketObservation], _ ports: [KernelPort]) {
  for index in sockets.indices where sockets[index].mayBeKernels {
    let socket = sockets[index]
    let owners = Set(ports.filter { $0.mayBe(socket) }.map(\.owner))
    guard let owner = owners.first else { continue }
    sockets[index].owner = .kernel
    // Several tunnels of one kind share a socket.
    sockets[index].kernelOwner = owners.count == 1 ? owner : KernelOwner(word: owner.word)
    sockets[index].reuseaddr = socket.reuseaddr.becauseKernels
    sockets[index].reuseport = socket.reuseport.becauseKernels
    sockets[index].v6only = socket.v6only?.becauseKernels
  }
}

extension KernelPort {
  /// Whether the port, the family, the address and IPV6_V6ONLY of a socket are as the kernel makes them.
  fileprivate func mayBe(_ socket: SocketObservation) -> Bool {
    guard transport == socket.transport, port == socket.local.port, families.contains(socket.family) else {
      return false
    }
    switch owner.kind {
    // rpc.nfsd(8) can be told an address (`--host`), which the kernel's list of ports does not show.
    case .nfsd: return true
    // The group that the master sends to (`make_receive_sock`).
    case .ipvs: return socket.local.address.isMulticast
    // These make an IPv6 socket IPv6-only (`vxlan_create_sock`, `geneve_create_sock`, `wg_socket_init`).
    case .vxlan, .geneve, .wireguard:
      return socket.local.address.isUnspecified && socket.v6only?.sure != false
    case .bareudp, .lockd, nil: return socket.local.address.isUnspecified
    }
  }
}

extension SocketObservation {
  fileprivate var mayBeKernels: Bool {
    owner == .hidden && activation == nil && remote == nil && uid ?? 0 == 0 && (transport == .udp || state == .listen)
  }
}

extension Knowledge where Value == Bool {
  fileprivate var becauseKernels: Self {
    if case .unknown = self { .unknown(.kernel) } else { self }
  }
}
