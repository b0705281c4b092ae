extension KernelLayout {
  private static let structures = [
    "sock_common", "sock", "inet_connection_sock", "inet_timewait_sock", "inet_bind_bucket", "net", "file", "inode",
    "socket", "task_struct", "signal_struct", "pid", "upid", "mptcp_sock",
  ]

  /// Looks up in a BTF file everything the programs need. Throws only if the file makes no sense or the kernel has
  /// no sockets to read.
  init(parsing bytes: RawSpan) throws(BPFError) {
    let index = try BTFIndex(
      bytes, structures: Self.structures, functions: BPFIterator.allCases.map(\.rawValue))
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
