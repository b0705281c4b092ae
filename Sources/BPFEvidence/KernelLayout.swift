/// Where the running kernel keeps what the programs read, from its own types.
///
/// A field that is nil is missing there; what it would have told stays unknown.
struct KernelLayout: Sendable, Hashable {
  /// `struct sock_common`, with which every socket begins, TIME_WAIT and requests included.
  struct Common: Sendable, Hashable {
    var port: BTFField
    var family: BTFField
    var state: BTFField
    var localAddress4: BTFField
    var remoteAddress4: BTFField
    var remotePort: BTFField
    var localAddress6: BTFField?
    var remoteAddress6: BTFField?
    var reuse: BTFField?
    var reuseport: BTFField?
    var ipv6only: BTFField?
    var boundDevice: BTFField?
    var cookie: BTFField?
    /// `struct net *`.
    var namespace: BTFField?
    /// The link to the next UDP socket of the slot (`sk_node`), a pointer to the same field there.
    var node: BTFField?

    /// The bytes a program copies: all of these, but the node.
    var byteCount: Int {
      let fields = [
        port, family, state, localAddress4, remoteAddress4, remotePort, localAddress6, remoteAddress6, reuse,
        reuseport, ipv6only, boundDevice, cookie, namespace,
      ]
      return roundedUp(fields.compactMap { $0?.end }.max() ?? 0)
    }
  }

  /// `struct inet_bind_bucket`.
  struct Bucket: Sendable, Hashable {
    var port: BTFField
    var fastReuse: BTFField
    var fastReuseport: BTFField
    var fastUID: BTFField
    var fastFamily: BTFField
    var fastAddress4: BTFField
    var fastIPv6only: BTFField
    /// Missing in a kernel without IPv6.
    var fastAddress6: BTFField?
    /// Missing before 5.0, where layer-3 domains do not divide the buckets.
    var layer3Domain: BTFField?

    var byteCount: Int {
      let fields = [
        port, fastReuse, fastReuseport, fastUID, fastFamily, fastAddress4, fastIPv6only, fastAddress6, layer3Domain,
      ]
      return roundedUp(fields.compactMap { $0?.end }.max() ?? 0)
    }
  }

  /// From a file to its socket.
  struct Files: Sendable, Hashable {
    var fileInode: BTFField
    var filePrivateData: BTFField
    var inodeMode: BTFField
    var inodeNumber: BTFField
    var socketFile: BTFField
    var socketSock: BTFField
    var sockProtocol: BTFField
    var sockUID: BTFField?
    var taskThreadGroup: BTFField
    var pids: Pids?

    /// The bytes of a `struct socket` from the first to the last of its two pointers.
    var socketByteRange: Range<Int> {
      min(socketFile.offset, socketSock.offset)..<max(socketFile.end, socketSock.end)
    }
  }

  /// From a task to the number of its process in the reader's pid namespace.
  struct Pids: Sendable, Hashable {
    var taskThreadPid: BTFField
    var taskSignal: BTFField
    /// `signal_struct.pids[0]`; a process's number is `pids[PIDTYPE_TGID]`.
    var signalPids: BTFField
    var pidLevel: BTFField
    /// `pid.numbers[0]`, one for each level of pid namespaces.
    var pidNumbers: BTFField
    var upidNumber: BTFField
    /// The size of a `struct upid`.
    var upidByteCount: Int
  }

  var common: Common
  var bucket: Bucket?
  /// `inet_connection_sock.icsk_bind_hash`.
  var bindHash: BTFField?
  /// `mptcp_sock.first`, the first subflow, a `struct sock *`; nil in a kernel without MPTCP.
  var firstSubflow: BTFField?
  /// `inet_timewait_sock.tw_tb`.
  var timeWaitBucket: BTFField?
  /// `inet_timewait_sock.tw_substate`.
  var timeWaitSubstate: BTFField?
  /// `net.ns.inum`, from a `struct net *`.
  var namespaceInode: BTFField?
  var files: Files?
  /// The BTF numbers of the functions that stand for the iterators.
  var iterators: [BPFIterator: UInt32]
}

/// An iterator of the kernel, by the function it is attached to.
enum BPFIterator: String, Sendable, Hashable, CaseIterable {
  case tcp = "bpf_iter_tcp"
  case udp = "bpf_iter_udp"
  case taskFile = "bpf_iter_task_file"
}

/// To a multiple of eight, in which the stack is divided.
private func roundedUp(_ count: Int) -> Int { (count + 7) & ~7 }
