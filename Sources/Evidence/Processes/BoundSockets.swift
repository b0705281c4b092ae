import Linux
package import SocketModel

extension ProcessReader {
  /// The TCP sockets of this network namespace that no dump shows, found through their holders' descriptors.
  ///
  /// Kernels before 6.8 list no socket that is bound but neither listens nor is connected. Each socket inode in
  /// /proc that is not in `inodes` is duplicated once (7 µs each) and asked for its protocol, namespace and name.
  /// Holders are filled in as `examine` does.
  ///
  /// - Parameters:
  ///   - ports: the local ports that matter; nil for all.
  ///   - inodes: what the dumps showed, at least for these ports.
  /// - Returns: the sockets in the order of the walk, and whether nothing can have been missed: every process and
  ///   descriptor could be read, no other pid namespace hides one, and no socket was met of which cannot be told
  ///   whether it still holds its port. A connect(2) that failed leaves a port that is free again in
  ///   getsockname(2); such sockets are not returned.
  package func boundSockets(
    on ports: ClosedRange<UInt16>? = nil, notIn inodes: Set<UInt64>
  ) -> (sockets: [SocketObservation], complete: Bool) {
    var search = BoundSocketSearch(ports: ports, namespace: OwnNamespace(procRoot: procRoot))
    var complete = false
    if var walk = try? ProcessWalk(procRoot: procRoot) {
      walk.run(where: { !inodes.contains($0) && !search.settled.contains($0) }) { process, hits in
        search.look(at: process, hits)
      }
      complete = !search.isInDoubt && !walk.hidesProcesses && walk.countUnreadable() == 0 && seesAllProcesses
    }
    var sockets = search.found
    _ = examine(&sockets)
    return (sockets, complete)
  }

  /// Whether /proc shows the first pid namespace, and with it the processes of all others (pid_namespaces(7)).
  private var seesAllProcesses: Bool {
    guard let proc = try? Descriptor(directory: procRoot) else { return false }
    return (try? proc.linkTarget(of: "self/ns/pid")) == Self.firstPIDNamespace
  }

  /// PROC_PID_INIT_INO, include/linux/proc_ns.h.
  private static let firstPIDNamespace = "pid:[4026531836]"
}

/// The state of one search.
private struct BoundSocketSearch {
  let ports: ClosedRange<UInt16>?
  let namespace: OwnNamespace
  var found: [SocketObservation] = []
  /// Inodes that were looked at through one holder: the other holders add nothing.
  var settled: Set<UInt64> = []
  /// Inodes that could not be looked at so far.
  private var refused: Set<UInt64> = []
  private var metAmbiguous = false

  init(ports: ClosedRange<UInt16>?, namespace: OwnNamespace) {
    self.ports = ports
    self.namespace = namespace
  }

  var isInDoubt: Bool { metAmbiguous || !refused.isEmpty }

  mutating func look(at process: borrowing VisitedProcess, _ hits: [SocketDescriptor]) {
    do throws(SystemError) {
      let handle = try Descriptor(process: process.pid)
      for hit in hits where !settled.contains(hit.inode) {
        do throws(SystemError) {
          let duplicate = try Descriptor.duplicate(hit.number, of: handle, inode: hit.inode)
          try look(at: duplicate, inode: hit.inode, process)
          settled.insert(hit.inode)
          refused.remove(hit.inode)
        } catch {
          if !error.meansGone { refused.insert(hit.inode) }
        }
      }
    } catch {
      if !error.meansGone { refused.formUnion(hits.map(\.inode)) }
    }
  }

  private mutating func look(
    at duplicate: borrowing Descriptor, inode: UInt64, _ process: borrowing VisitedProcess
  ) throws(SystemError) {
    guard let kind = try TCPSocketKind(of: duplicate),
      let name = try duplicate.localName(), name.endpoint.port.rawValue != 0,
      ports?.contains(name.endpoint.port.rawValue) ?? true
    else { return }
    guard let isOurs = namespace.contains(duplicate, heldIn: process.directory) else {
      metAmbiguous = true
      return
    }
    guard isOurs else { return }
    switch try boundState(of: duplicate) {
    case .some(let state):
      found.append(try observation(of: duplicate, name: name, state: state, inode: inode, ulp: kind.ulp))
    case .none: metAmbiguous = true
    }
  }

  private func observation(
    of duplicate: borrowing Descriptor, name: SocketName, state: SocketState, inode: UInt64, ulp: String?
  ) throws(SystemError) -> SocketObservation {
    let flags = try SocketFlags(of: duplicate)
    let device = try? duplicate.option(.boundInterface)
    return SocketObservation(
      transport: .tcp, family: name.family, local: name.endpoint,
      remote: (try? duplicate.peerName())?.endpoint, state: state,
      reuseaddr: .known(flags.reuseaddr, .getsockopt),
      reuseport: flags.reuseport.map { .known($0, .getsockopt) } ?? .unknown(.oldKernel),
      v6only: flags.v6only.map { .known($0, .getsockopt) },
      device: device.flatMap { InterfaceIndex(kernel: UInt32(bitPattern: $0)) }, uid: flags.uid, inode: inode,
      cookie: (try? duplicate.option(.cookie)) ?? 0, ulp: ulp)
  }
}

/// A socket in TCP's port space: TCP itself, or MPTCP, whose first subflow holds the port.
private struct TCPSocketKind {
  var ulp: String?

  /// Nil for any other socket.
  init?(of duplicate: borrowing Descriptor) throws(SystemError) {
    guard try duplicate.family() != nil, try duplicate.transport() == .tcp else { return nil }
    switch try duplicate.option(.protocolNumber) {
    case ProtocolNumber.tcp: ulp = nil
    case ProtocolNumber.mptcp: ulp = "mptcp"
    default: return nil
    }
  }
}

/// The state of a socket that has a port; nil where cannot be told whether the port is still its own.
///
/// A socket that connected or listened before and is closed now keeps its number in getsockname(2), but is bound
/// only if its port was chosen by bind(2) (SOCK_BINDPORT_LOCK, kernel function `tcp_set_state`). Traces of the
/// earlier life are the path MTU and the peer's MSS of connect(2), and the receive MSS that `tcp_disconnect` sets.
private func boundState(of duplicate: borrowing Descriptor) throws(SystemError) -> SocketState? {
  let info = try duplicate.tcpInfo()
  guard info.state == .close else { return info.state }
  return info.pathMTU == 0 && info.advertisedMSS == 0 && info.receivedMSS == 0 ? .close : nil
}
