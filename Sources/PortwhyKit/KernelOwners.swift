import HostEvidence
import Netlink
import SocketModel

/// Names the part of the kernel behind sockets that have an inode and no holder that can be seen.
///
/// Only what the kernel itself says counts: a tunnel that is up, a port of its NFS server. Such sockets are bound to
/// the wildcard, to an address of the tunnel or to a multicast group, by uid 0 and not connected; what fits nothing
/// stays hidden.
func findKernelOwners(_ sockets: inout [SocketObservation]) {
  let candidates = sockets.indices.filter { sockets[$0].mayBeKernels }
  guard !candidates.isEmpty else { return }
  var ports: [KernelPort] = []
  if candidates.contains(where: { sockets[$0].transport == .udp }) {
    ports += (try? KernelPortDump().tunnelPorts()) ?? []
    ports += KernelPortDump().synchronisationPorts()
  }
  ports += HostReader().kernelServicePorts()
  for index in candidates {
    let socket = sockets[index]
    let owners = Set(
      ports.filter { $0.transport == socket.transport && $0.port == socket.local.port }.map(\.owner))
    guard let owner = owners.first else { continue }
    sockets[index].owner = .kernel
    // Several tunnels of one kind share a socket.
    sockets[index].kernelOwner = owners.count == 1 ? owner : KernelOwner(kind: owner.kind)
    sockets[index].reuseaddr = socket.reuseaddr.becauseKernels
    sockets[index].reuseport = socket.reuseport.becauseKernels
    sockets[index].v6only = socket.v6only?.becauseKernels
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
