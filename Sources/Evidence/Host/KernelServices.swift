package import Linux
package import SocketModel

extension HostReader {
  /// The ports of the kernel's NFS server and lock manager, as far as the kernel says which; empty without them.
  ///
  /// `/proc/fs/nfsd/portlist` lists the server's (kernel function `svc_xprt_names`); the lock manager tells its ports
  /// only where they were fixed (`fs.nfs.nlm_tcpport`, `fs.nfs.nlm_udpport`). Both are of the network namespace of
  /// process 1, so elsewhere they are not looked at.
  ///
  /// - Parameter files: who reads /proc for this look; a child of its own where nobody does.
  package func kernelServicePorts(_ files: ProcessFiles? = nil) -> [KernelPort] {
    let (own, list) = ("thread-self/ns/net", "fs/nfsd/portlist")
    func lockPort(_ transport: TransportProtocol) -> String { "sys/fs/nfs/nlm_\(transport.rawValue)port" }
    let rootFiles =
      [.status(own), .contents(list)] + TransportProtocol.allCases.map { FileQuestion.contents(lockPort($0)) }
    let reply = (files ?? ProcessFiles(procRoot: procRoot)).ask(
      ProcessQuestion(.named([1]), [.status("ns/net")], rootFiles: rootFiles))
    let told = Optional(reply.root)
    guard let network = told?.status(own), reply.processes.first?.status("ns/net")?.isSameFile(as: network) == true
    else { return [] }
    var ports: [KernelPort] = []
    if case .text(let list) = told.text(list) { ports += nfsdPorts(list) }
    for transport in TransportProtocol.allCases {
      guard case .text(let text) = told.text(lockPort(transport)),
        let number = UInt16(text.filter(\.isNumber)), number != 0
      else { continue }
      ports.append(KernelPort(transport: transport, port: Port(number), owner: KernelOwner(kind: .lockd)))
    }
    return ports
  }
}

/// Lines such as `tcp 2049`; transports without a port of the host (`rdma`) are skipped.
func nfsdPorts(_ list: String) -> [KernelPort] {
  list.split(separator: "\n").compactMap { line in
    let words = line.split(separator: " ")
    guard words.count == 2, let transport = TransportProtocol(rawValue: String(words[0])),
      let number = UInt16(words[1])
    else { return nil }
    return KernelPort(transport: transport, port: Port(number), owner: KernelOwner(kind: .nfsd))
  }
}
