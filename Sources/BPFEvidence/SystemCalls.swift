import CBPF
import Glibc
import SocketModel

/// A file descriptor that is closed when it goes.
struct Descriptor: ~Copyable {
  let number: Int32

  init(_ number: Int32) { self.number = number }
  deinit { _ = close(number) }
}

/// Every call of this module to the kernel, and its only unsafe pointers.
enum SystemCalls {
  private static var error: SystemError { SystemError(rawValue: errno) }

  /// The effective capabilities of the calling thread, bit n is capability n (capget(2)); nil where it fails.
  static func effectiveCapabilities() -> UInt64? {
    var effective: UInt64 = 0
    return portwhy_effective_capabilities(&effective) == 0 ? effective : nil
  }

  /// Whether the file can be opened for reading.
  static func requireReadable(_ path: String) throws(BPFError) {
    guard access(path, R_OK) == 0 else { throw .noTypes(path: path, error) }
  }

  /// The bytes of a whole file, which are gone afterwards. A file of sysfs is mapped where the kernel can (BTF: 6.16),
  /// because read(2) gives a page at a time there; no other file is, because one that shrinks would kill the reader.
  static func withFile<Result>(
    _ path: String, mayMap: Bool = true, atMost limit: Int, _ body: (RawSpan) throws(BPFError) -> Result
  ) throws(BPFError) -> Result {
    let number = open(path, O_RDONLY | O_CLOEXEC)
    guard number >= 0 else { throw .noTypes(path: path, error) }
    let file = Descriptor(number)
    var status = stat()
    guard fstat(file.number, &status) == 0 else { throw .noTypes(path: path, error) }
    guard status.st_size <= limit else { throw .malformedTypes(offset: 0, .tooLarge) }
    let size = Int(status.st_size)
    var system = statfs()
    if mayMap, size > 0, fstatfs(file.number, &system) == 0, system.f_type == 0x6265_6572,  // SYSFS_MAGIC
      let mapped = mmap(nil, size, PROT_READ, MAP_PRIVATE, file.number, 0), mapped != MAP_FAILED
    {
      defer { munmap(mapped, size) }
      return try body(UnsafeRawBufferPointer(start: mapped, count: size).bytes)
    }
    let bytes = try read(file.number, path, expected: size, atMost: limit)
    return try body(bytes.span.bytes)
  }

  private static func read(
    _ number: Int32, _ path: String, expected: Int, atMost limit: Int
  ) throws(BPFError) -> [UInt8] {
    var failure: SystemError?
    // One byte more than expected: the read that finds nothing there is the end of the file.
    var capacity = expected + 1
    var bytes: [UInt8] = []
    repeat {
      let next = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
        count = bytes.withUnsafeBytes { old in
          UnsafeMutableRawBufferPointer(buffer).copyMemory(from: old)
          return old.count
        }
        while count < capacity {
          let got = Glibc.read(number, buffer.baseAddress.map { $0 + count }, capacity - count)
          if got < 0, errno == EINTR { continue }
          if got < 0 { failure = error }
          if got <= 0 { return }
          count += got
        }
      }
      bytes = next
      if let failure { throw .noTypes(path: path, failure) }
      if bytes.count < capacity { return bytes }
      capacity *= 2
    } while capacity <= limit
    throw .malformedTypes(offset: 0, .tooLarge)
  }

  /// BPF_PROG_LOAD; where the verifier refuses, once more with its log.
  static func load(_ program: [UInt64], for function: UInt32, license: String) throws(BPFError) -> Descriptor {
    let count = UInt32(truncatingIfNeeded: program.count)
    let number = program.withUnsafeBufferPointer {
      portwhy_bpf_load_iterator($0.baseAddress, count, license, function, nil, 0)
    }
    if number >= 0 { return Descriptor(number) }
    let failure = error
    guard failure != .noSystemCall else { throw .unsupported(call: "bpf(2)", failure) }
    var again: Int32 = -1
    let log = [UInt8](unsafeUninitializedCapacity: 1 << 18) { buffer, length in
      buffer.initialize(repeating: 0)
      again = program.withUnsafeBufferPointer { program in
        buffer.withMemoryRebound(to: CChar.self) { log in
          portwhy_bpf_load_iterator(
            program.baseAddress, count, license, function, log.baseAddress, UInt32(truncatingIfNeeded: log.count))
        }
      }
      length = buffer.firstIndex(of: 0) ?? buffer.count
    }
    if again >= 0 { return Descriptor(again) }
    if !log.isEmpty { throw .verifierRefused(log: String(decoding: log, as: UTF8.self)) }
    if failure == .notPermitted || failure == .accessDenied { throw .notPermitted(missing: missingCapabilities()) }
    throw failure == .invalidArgument
      ? .unsupported(call: "BPF_PROG_LOAD", failure) : .failed(call: "BPF_PROG_LOAD", failure)
  }

  /// BPF_LINK_CREATE and BPF_ITER_CREATE: what read(2) of the descriptor gives is of the namespaces of this thread.
  static func openIterator(_ program: borrowing Descriptor) throws(BPFError) -> Descriptor {
    let link = try opened("BPF_LINK_CREATE", portwhy_bpf_link_iterator(program.number))
    return try opened("BPF_ITER_CREATE", portwhy_bpf_open_iterator(link.number))
  }

  private static func opened(_ call: String, _ number: Int32) throws(BPFError) -> Descriptor {
    if number >= 0 { return Descriptor(number) }
    switch error {
    case .notPermitted, .accessDenied: throw .notPermitted(missing: missingCapabilities())
    case .invalidArgument, .noSystemCall: throw .unsupported(call: call, error)
    default: throw .failed(call: call, error)
    }
  }

  /// Runs the iterator to its end and hands over its records, any number of whole ones at a time.
  static func readRecords(
    _ iterator: borrowing Descriptor, byteCount: Int, _ body: (RawSpan) -> Void
  ) throws(BPFError) {
    let size = max(1 << 16, byteCount)
    // The kernel gives up a read(2) after a million objects without a record, with EAGAIN; the next goes on there.
    var patience = 1000
    var failure: SystemError?
    _ = [UInt8](unsafeUninitializedCapacity: size) { buffer, initialized in
      initialized = 0
      var kept = 0
      while true {
        let got = Glibc.read(iterator.number, buffer.baseAddress.map { $0 + kept }, size - kept)
        if got < 0, errno == EINTR || errno == EAGAIN, patience > 0 {
          patience -= 1
          continue
        }
        if got < 0 { failure = error }
        if got <= 0 { return }
        let (end, whole) = (kept + got, (kept + got) / byteCount * byteCount)
        body(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<whole]).bytes)
        kept = end - whole
        if kept > 0, let start = buffer.baseAddress { memmove(start, start + whole, kept) }
      }
    }
    if let failure { throw .failed(call: "read(2) of an iterator", failure) }
  }
}

/// The names of the capabilities that the calling thread lacks: CAP_SYS_ADMIN stands for both.
func missingCapabilities() -> [String] {
  guard let effective = SystemCalls.effectiveCapabilities() else { return [] }
  func has(_ number: UInt64) -> Bool { effective >> number & 1 == 1 }
  if has(21) { return [] }
  return [("CAP_BPF", 39), ("CAP_PERFMON", 38)].filter { !has($0.1) }.map(\.0)
}
