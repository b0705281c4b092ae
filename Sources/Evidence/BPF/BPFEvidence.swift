package import Linux
package import SocketModel
import Synchronization

/// What BPF iterators tell of sockets that nobody can hand over: TIME_WAIT sockets, orphans, children that nobody
/// accepted, sockets of other users, the bind bucket.
///
/// Needs CAP_BPF and CAP_PERFMON (or CAP_SYS_ADMIN) in the initial user namespace, Linux 5.8 for descriptors and 5.9
/// for the tables, and the kernel's types (CONFIG_DEBUG_INFO_BTF). Reads only; every program and descriptor is gone when
/// a function returns.
package struct BPFEvidence: Sendable, Hashable {
  /// The kernel's types (Documentation/bpf/btf.rst).
  package static let kernelTypes = "/sys/kernel/btf/vmlinux"

  let layout: KernelLayout

  /// More than any kernel's types.
  private static let largestTypes = 1 << 27

  /// Learns from the kernel's types where it keeps what is to be read: a few milliseconds.
  package init(typesAt path: String = kernelTypes) throws(BPFError) {
    guard UInt16(1).littleEndian == 1, MemoryLayout<UInt>.size == 8 else {
      throw .invalidProgram("only for hosts with 64 bits and the lowest byte first")
    }
    layout = try Self.withTypes(path, atMost: Self.largestTypes) { (bytes) throws(BPFError) in
      try KernelLayout(parsing: bytes, isOld: kernelVersion() < KernelVersion(major: 6, minor: 13))
    }
  }

  init(layout: KernelLayout) { self.layout = layout }

  /// That of the running kernel, whose types are read once: they stay as they are until the next boot.
  package static func ofThisKernel() throws(BPFError) -> BPFEvidence {
    if let known = known.withLock({ $0 }) { return known }
    defer { opened.withLock { $0 = nil } }
    let read = try BPFEvidence()
    known.withLock { $0 = read }
    return read
  }

  private static let known = Mutex<BPFEvidence?>(nil)

  private static let mostDescriptors = 1 << 20

  /// Why there is certainly nothing to be had, found without reading the types or calling bpf(2): a capability or the
  /// file is missing. nil promises nothing, but that `ofThisKernel` is next: the file stays open for that.
  /// - Parameter files: who reads files for this look; a child of its own where nobody does.
  package static func obstacle(_ files: ProcessFiles? = nil) -> BPFError? {
    let missing = missingCapabilities()
    if !missing.isEmpty { return .notPermitted(missing: missing) }
    if known.withLock({ $0 }) != nil { return nil }
    do throws(BPFError) {
      let file = try types(at: kernelTypes, files)
      opened.withLock { $0 = file }
      return nil
    } catch {
      return error
    }
  }

  /// Opened by a child: any user can hold the lock of their directory.
  static func types(at path: String, _ files: ProcessFiles? = nil) throws(BPFError) -> OpenFile {
    if path == kernelTypes, let opened = opened.withLock({ $0 }) { return opened }
    let question = ProcessQuestion(.named([]), [], rootFiles: [.opened(path)])
    let told = (files?.ask(question) ?? ProcessFiles.asked(question)).root
    guard let file = told.file(path) else {
      throw .noTypes(path: path, told.error(path) ?? .timedOut)
    }
    return file
  }

  private static let opened = Mutex<OpenFile?>(nil)

  /// The TCP sockets of these local ports in the network namespace of the calling thread: listeners and connections of
  /// every kind, TIME_WAIT sockets and requests included. Sockets that are only bound are in no table it walks: see
  /// `socketHolders`. The time grows with all TCP sockets of all namespaces.
  package func tcpSockets(ports: ClosedRange<UInt16>) throws(BPFError) -> [BPFSocket] {
    try records(.tcp, try tcpProgram(layout, ports), .tcp).map(\.socket)
  }

  /// The UDP sockets of these local ports in the network namespace of the calling thread, by port, and each port's in
  /// the order in which bind(2) looks at them where that could be seen (`chainPosition`).
  package func udpSockets(ports: ClosedRange<UInt16>) throws(BPFError) -> [BPFSocket] {
    guard let program = try udpProgram(layout, ports, linked: false) else { return [] }
    let first = try records(.udp, program, .udp)
    // The program that also finds the order takes three times as long to load.
    guard Set(first.map(\.socket.local.port)).count < first.count,
      let linking = try udpProgram(layout, ports, linked: true)
    else { return inChainOrder(first) }
    return inChainOrder(try records(.udp, linking, .udp))
  }

  /// Every descriptor of a TCP, MPTCP or UDP socket with one of these local ports, of all processes in the reader's pid
  /// namespace and below, whoever's they are and whichever network namespace the socket belongs to. Two threads
  /// that do not share their descriptors are both looked at. The time grows with all open descriptors.
  ///
  /// With `inodes` only sockets that have one of them; looking for at most 64 is faster on a host with many sockets. With
  /// `pid` only the descriptors of that process, Linux 6.1: `unsupported` before.
  package func socketHolders(
    ports: ClosedRange<UInt16>, inodes: Set<UInt64>? = nil, of pid: Int32? = nil
  ) throws(BPFError) -> [SocketHolder] {
    let records = try records(.taskFile, try holderProgram(layout, ports, inodes: inodes), nil, of: pid)
    return records.filter { inodes?.contains($0.inode) ?? true }.map {
      SocketHolder(
        pid: $0.pid, descriptor: $0.descriptor, inode: $0.inode, networkNamespace: $0.namespace,
        isMPTCP: $0.isMPTCP, socket: $0.socket)
    }
  }

  /// Loads a program, runs it over the iterator's objects and takes its records apart, one of each socket.
  func records(
    _ iterator: BPFIterator, _ program: [UInt64], _ transport: TransportProtocol?, of pid: Int32? = nil
  ) throws(BPFError) -> [SocketRecord] {
    guard let function = layout.iterators[iterator] else { throw .missingFromKernel(iterator.rawValue) }
    let opened = try Self.open(program, for: function, of: pid)
    let byteCount = RecordLayout(layout).byteCount
    var records: [SocketRecord] = []
    var areTooMany = false
    // A walk that pauses where a buffer was full may meet a socket twice (before 6.16).
    var seen: Set<SeenRecord> = []
    do throws(ErrandError) {
      // The tables' iterators take the lock of every socket that they pass (`bpf_iter_tcp_seq_show`).
      try Errand.read(opened, recordsOf: byteCount) { bytes in
        for start in stride(from: 0, to: bytes.byteCount, by: byteCount) {
          // A user may have many millions of descriptors, each of which takes memory here.
          if iterator == .taskFile, records.count == Self.mostDescriptors { areTooMany = true }
          guard !areTooMany, let record = SocketRecord(bytes, at: start, layout, transport) else { continue }
          if seen.insert(SeenRecord(record)).inserted { records.append(record) }
        }
      }
    } catch {
      switch error {
      case .noAnswer: throw .noAnswer(iterator: iterator.name)
      case .failed(let error): throw .failed(call: "read(2) of an iterator", error)
      }
    }
    if areTooMany { throw .failed(call: "read(2) of an iterator", .argumentTooLong) }
    return records
  }
}

/// What two records of one socket, or of one descriptor, have in common.
private struct SeenRecord: Hashable {
  var address: UInt64
  var cookie: UInt64?
  var pid: Int32
  var descriptor: Int32

  init(_ record: SocketRecord) {
    address = record.address
    cookie = record.socket.cookie
    pid = record.pid
    descriptor = record.descriptor
  }
}

/// Why BPF iterators tell nothing here. Each is a reason to go on without them, not to stop.
package enum BPFError: Error, Sendable, Hashable {
  /// bpf(2) answered EPERM or EACCES. The names are the capabilities the thread lacks; empty where it has them all,
  /// and a seccomp filter, lockdown or a user namespace stands in the way.
  case notPermitted(missing: [String])
  /// The kernel shows no types of its own (CONFIG_DEBUG_INFO_BTF), or they cannot be read.
  case noTypes(path: String, SystemError)
  /// The kernel's types (BTF) make no sense at this byte of the file.
  case malformedTypes(offset: Int, BTFDefect)
  /// The kernel's types lack this function or field: too old, or built without it.
  case missingFromKernel(String)
  /// The kernel knows bpf(2) but not this command or attach type (iterators need 5.8).
  case unsupported(call: String, SystemError)
  /// The verifier did not accept a program; its own words.
  case verifierRefused(log: String)
  /// A program of ours is wrong: a label without a place, a jump too far, more than the 512 bytes of stack.
  case invalidProgram(String)
  /// It was not back in time: somebody keeps a socket locked, or an earlier one that is stuck still is.
  case noAnswer(iterator: String)
  /// A call failed that has no reason to.
  case failed(call: String, SystemError)
}

/// What is wrong with a BTF file.
package enum BTFDefect: String, Sendable, Hashable {
  case header = "not a BTF header of this byte order"
  case truncated = "ends inside of what it announces"
  case kind = "a kind of type that is not known"
  case nameOffset = "a name outside of the string section"
  case typeNumber = "a type number that does not exist"
  case tooDeep = "types nested deeper than any kernel's"
  case tooLarge = "larger than any kernel's"
}

extension BPFError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .notPermitted(let missing) where missing.isEmpty:
      "bpf(2) is refused although the capabilities are there: a seccomp filter, lockdown or a user namespace"
    case .notPermitted(let missing): "bpf(2) is refused: \(missing.joined(separator: " and ")) missing"
    case .noTypes(let path, let error): "the kernel's types cannot be read from \(path): \(error)"
    case .malformedTypes(let offset, let defect): "the kernel's types at byte \(offset): \(defect.rawValue)"
    case .missingFromKernel(let name): "this kernel has no \(name)"
    case .unsupported(let call, let error): "this kernel does not support \(call): \(error)"
    case .verifierRefused(let log): "the kernel's verifier refused the program: \(log)"
    case .invalidProgram(let what): "a BPF program of ours is wrong: \(what)"
    case .noAnswer(let iterator): "\(iterator): no answer within \(Errand.patience) ms"
    case .failed(let call, let error): "\(call): \(error)"
    }
  }
}
