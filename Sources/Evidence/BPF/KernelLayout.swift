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

  /// `struct inet_bind2_bucket`, in which a TCP socket hangs by its address, while it has a family: 6.1 to 6.7.
  struct AddressBucket: Sendable, Hashable {
    /// `inet_connection_sock.icsk_bind2_hash`.
    var ofSocket: BTFField
    /// `inet_timewait_sock.tw_tb2`.
    var ofTimeWait: BTFField?
    var family: BTFField
  }

  /// From a UDP socket to the slots in which bind(2) looks for others (`struct udp_table`), before 6.13.
  struct UDPTable: Sendable, Hashable {
    /// `sock_common.skc_prot`, a `struct proto *`, and in that `h.udp_table`.
    var ofSocket: BTFField
    var ofProtocol: BTFField
    /// The slots by port, those by address, and how many there are of each, less one.
    var byPort: BTFField
    var byAddress: BTFField
    var mask: BTFField
    /// `udp_hslot.count`, and the size of that.
    var count: BTFField
    var slotByteCount: Int
    /// `net.hash_mix`.
    var hashMix: BTFField
    /// `sock_common.skc_u16hashes`, of which the second is that of the address.
    var hashes: BTFField
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
  /// Looked for on old kernels alone.
  var addressBucket: AddressBucket?
  var udpTable: UDPTable?
  /// The BTF numbers of the functions that stand for the iterators.
  var iterators: [BPFIterator: UInt32]
}

/// An iterator of the kernel, by the function it is attached to.
enum BPFIterator: String, Sendable, Hashable, CaseIterable {
  case tcp = "bpf_iter_tcp"
  case udp = "bpf_iter_udp"
  case taskFile = "bpf_iter_task_file"

  /// As reports name it: `tcp`, `udp`, `task_file`.
  var name: String { String(rawValue.dropFirst("bpf_iter_".count)) }
}

/// To a multiple of eight, in which the stack is divided.
func roundedUp(_ count: Int) -> Int { (count + 7) & ~7 }

extension KernelLayout {
  private static let structures = [
    "sock_common", "sock", "inet_connection_sock", "inet_timewait_sock", "inet_bind_bucket", "net", "file", "inode",
    "socket", "task_struct", "signal_struct", "pid", "upid", "mptcp_sock",
  ]
  private static let oldStructures = ["inet_bind2_bucket", "udp_table", "udp_hslot", "proto"]

  /// Looks up in a BTF file everything the programs need. Throws only if the file makes no sense or the kernel has
  /// no sockets to read.
  ///
  /// - Parameter isOld: whether the kernel may be before 6.13, where there is more to look for.
  init(parsing bytes: RawSpan, isOld: Bool = false) throws(BPFError) {
    let index = try BTFIndex(
      bytes, structures: Self.structures + (isOld ? Self.oldStructures : []),
      functions: BPFIterator.allCases.map(\.rawValue))
    var reader = BTFFieldReader(index)
    guard let common = try Common(&reader, bytes) else { throw .missingFromKernel("struct sock_common") }
    self.common = common
    bucket = try Bucket(&reader, bytes)
    bindHash = try reader.field("inet_connection_sock", ["icsk_bind_hash"], bytes)
    firstSubflow = try reader.field("mptcp_sock", ["first"], bytes)
    timeWaitBucket = try reader.field("inet_timewait_sock", ["tw_tb"], bytes)
    timeWaitSubstate = try reader.field("inet_timewait_sock", ["tw_substate"], bytes)
    namespaceInode = try reader.field("net", ["ns", "inum"], bytes)
    files = try Files(&reader, bytes)
    if isOld {
      addressBucket = try AddressBucket(&reader, bytes)
      udpTable = try UDPTable(&reader, bytes)
    }
    iterators = [:]
    for iterator in BPFIterator.allCases {
      iterators[iterator] = reader.index.functions[iterator.rawValue]?.first.flatMap { UInt32(exactly: $0) }
    }
  }
}

extension KernelLayout.Common {
  fileprivate init?(_ reader: inout BTFFieldReader, _ bytes: RawSpan) throws(BPFError) {
    func field(_ reader: inout BTFFieldReader, _ path: String...) throws(BPFError) -> BTFField? {
      try reader.field("sock_common", path, bytes)
    }
    guard let port = try field(&reader, "skc_num"), let family = try field(&reader, "skc_family"),
      let state = try field(&reader, "skc_state"), let local = try field(&reader, "skc_rcv_saddr"),
      let remote = try field(&reader, "skc_daddr"), let remotePort = try field(&reader, "skc_dport"),
      port.bitCount == 16, family.bitCount == 16, state.bitCount == 8
    else { return nil }
    self.init(
      port: port, family: family, state: state, localAddress4: local, remoteAddress4: remote, remotePort: remotePort)
    localAddress6 = try field(&reader, "skc_v6_rcv_saddr")
    remoteAddress6 = try field(&reader, "skc_v6_daddr")
    reuse = try field(&reader, "skc_reuse")
    reuseport = try field(&reader, "skc_reuseport")
    ipv6only = try field(&reader, "skc_ipv6only")
    boundDevice = try field(&reader, "skc_bound_dev_if")
    cookie = try field(&reader, "skc_cookie")
    namespace = try field(&reader, "skc_net", "net")
    node = try field(&reader, "skc_node", "next")
  }
}

extension KernelLayout.Bucket {
  fileprivate init?(_ reader: inout BTFFieldReader, _ bytes: RawSpan) throws(BPFError) {
    func field(_ reader: inout BTFFieldReader, _ name: String) throws(BPFError) -> BTFField? {
      try reader.field("inet_bind_bucket", [name], bytes)
    }
    guard let port = try field(&reader, "port"), let fastReuse = try field(&reader, "fastreuse"),
      let fastReuseport = try field(&reader, "fastreuseport"), let fastUID = try field(&reader, "fastuid"),
      let fastFamily = try field(&reader, "fast_sk_family"), let address = try field(&reader, "fast_rcv_saddr"),
      let fastIPv6only = try field(&reader, "fast_ipv6_only")
    else { return nil }
    self.init(
      port: port, fastReuse: fastReuse, fastReuseport: fastReuseport, fastUID: fastUID, fastFamily: fastFamily,
      fastAddress4: address, fastIPv6only: fastIPv6only)
    fastAddress6 = try field(&reader, "fast_v6_rcv_saddr")
    layer3Domain = try field(&reader, "l3mdev")
  }
}

extension KernelLayout.AddressBucket {
  fileprivate init?(_ reader: inout BTFFieldReader, _ bytes: RawSpan) throws(BPFError) {
    guard let ofSocket = try reader.field("inet_connection_sock", ["icsk_bind2_hash"], bytes),
      let family = try reader.field("inet_bind2_bucket", ["family"], bytes), family.bitCount == 16
    else { return nil }
    self.init(ofSocket: ofSocket, family: family)
    ofTimeWait = try reader.field("inet_timewait_sock", ["tw_tb2"], bytes)
  }
}

extension KernelLayout.UDPTable {
  fileprivate init?(_ reader: inout BTFFieldReader, _ bytes: RawSpan) throws(BPFError) {
    func field(_ reader: inout BTFFieldReader, _ name: String) throws(BPFError) -> BTFField? {
      try reader.field("udp_table", [name], bytes)
    }
    // With a third kind of slots, those by address are of another size.
    guard try field(&reader, "hash4") == nil,
      let ofSocket = try reader.field("sock_common", ["skc_prot"], bytes),
      let ofProtocol = try reader.field("proto", ["h", "udp_table"], bytes),
      let byPort = try field(&reader, "hash"), let byAddress = try field(&reader, "hash2"),
      let mask = try field(&reader, "mask"), let count = try reader.field("udp_hslot", ["count"], bytes),
      let size = try reader.size(ofStructure: "udp_hslot", bytes),
      let hashMix = try reader.field("net", ["hash_mix"], bytes),
      let hashes = try reader.field("sock_common", ["skc_u16hashes"], bytes),
      [byPort, byAddress, ofSocket, ofProtocol].allSatisfy({ $0.bitCount == 64 }),
      [mask, count, hashMix].allSatisfy({ $0.bitCount == 32 }), hashes.bitCount == 16
    else { return nil }
    self.init(
      ofSocket: ofSocket, ofProtocol: ofProtocol, byPort: byPort, byAddress: byAddress, mask: mask, count: count,
      slotByteCount: size, hashMix: hashMix, hashes: hashes)
  }
}

extension KernelLayout.Files {
  fileprivate init?(_ reader: inout BTFFieldReader, _ bytes: RawSpan) throws(BPFError) {
    guard let inode = try reader.field("file", ["f_inode"], bytes),
      let privateData = try reader.field("file", ["private_data"], bytes),
      let mode = try reader.field("inode", ["i_mode"], bytes),
      let number = try reader.field("inode", ["i_ino"], bytes),
      let socketFile = try reader.field("socket", ["file"], bytes),
      let socketSock = try reader.field("socket", ["sk"], bytes),
      let sockProtocol = try reader.field("sock", ["sk_protocol"], bytes),
      let threadGroup = try reader.field("task_struct", ["tgid"], bytes),
      mode.bitCount == 16, number.bitCount == 64, socketFile.bitCount == 64, socketSock.bitCount == 64,
      sockProtocol.bitCount == 16
    else { return nil }
    self.init(
      fileInode: inode, filePrivateData: privateData, inodeMode: mode, inodeNumber: number, socketFile: socketFile,
      socketSock: socketSock, sockProtocol: sockProtocol, taskThreadGroup: threadGroup)
    sockUID = try reader.field("sock", ["sk_uid"], bytes)
    pids = try KernelLayout.Pids(&reader, bytes)
  }
}

extension KernelLayout.Pids {
  fileprivate init?(_ reader: inout BTFFieldReader, _ bytes: RawSpan) throws(BPFError) {
    guard let threadPid = try reader.field("task_struct", ["thread_pid"], bytes),
      let signal = try reader.field("task_struct", ["signal"], bytes),
      let pids = try reader.field("signal_struct", ["pids"], bytes),
      let level = try reader.field("pid", ["level"], bytes),
      let numbers = try reader.field("pid", ["numbers"], bytes),
      let number = try reader.field("upid", ["nr"], bytes), let size = try reader.size(ofStructure: "upid", bytes)
    else { return nil }
    self.init(
      taskThreadPid: threadPid, taskSignal: signal, signalPids: pids, pidLevel: level, pidNumbers: numbers,
      upidNumber: number, upidByteCount: size)
  }
}

// What a program writes of a socket, after it has put it together on its stack:
//
//   0   u32 uid          4   u32 pid          8   u32 descriptor     12  u32 protocol (IPPROTO_*)
//   16  u64 address of the socket            24  u64 address of the next socket of its port in the chain
//   32  u64 inode        40  u32 network namespace                   44  u32 chain   48  u32 bucket   52  u16 substate
//   54  u16 family of the bucket by address
//   56  the start of struct sock_common, then the start of struct inet_bind_bucket
//
// Of a socket in the table of UDP, which has no inode there: 32 u32 sockets in the slot of its port, 36 u32 sockets in the
// slot of the wildcard, 40 u32 a `SlotState`.
//
// The structures are copied as they are and taken apart in SocketRecord, so a program is the same few instructions on
// every kernel. The kernel addresses in them put sockets in order; no value that leaves this module has one.

/// The places of a record's parts, from its start.
struct RecordLayout: Sendable, Hashable {
  static let uid = 0
  static let pid = 4
  static let descriptor = 8
  static let transport = 12
  static let address = 16
  static let next = 24
  static let inode = 32
  static let namespace = 40
  /// 1 where `next` is known, 0 inside of it being the end of the chain.
  static let chain = 44
  /// A `BucketState`.
  static let bucketState = 48
  static let substate = 52
  /// 0 where it was not read.
  static let addressBucketFamily = 54
  static let slotCount = inode
  static let wildcardSlotCount = inode + 4
  /// A `SlotState`.
  static let slotState = namespace
  static let common = 56

  /// Where the copy of the bucket starts.
  let bucket: Int
  let byteCount: Int

  init(_ layout: KernelLayout) {
    bucket = Self.common + layout.common.byteCount
    byteCount = bucket + (layout.bucket?.byteCount ?? 0)
  }
}

/// What became of reading the bucket: the numbers a program writes.
enum BucketState: UInt32, Sendable, Hashable {
  case notLookedAt = 0
  /// The socket hangs on no bucket: it holds no port.
  case none = 1
  /// It hangs on one, which could not be read.
  case unreadable = 2
  case read = 3
}

/// What was seen of the slots of a UDP socket: the numbers a program writes.
enum SlotState: UInt32, Sendable, Hashable {
  case notLookedAt = 0
  /// By its address the socket hangs in another slot than the wildcard does.
  case elsewhere = 1
  case withWildcard = 2
}

/// The numbers of sockets that the programs compare and records hold.
enum KernelNumber {
  static let (inet, inet6): (Int32, Int32) = (2, 10)  // AF_INET, AF_INET6
  static let (tcp, udp, mptcp): (Int32, Int32, Int32) = (6, 17, 262)  // IPPROTO_*
  static let (timeWait, newSynReceived): (Int32, Int32) = (6, 12)  // TCP_TIME_WAIT, TCP_NEW_SYN_RECV
  static let (fileType, socketFile): (Int32, Int32) = (0o170000, 0o140000)  // S_IFMT, S_IFSOCK
}
