import CLinux
import Glibc
package import SocketModel

// The commands of bpf(2) that iterators take.

/// What loading a program gave.
package enum BPFLoad: ~Copyable {
  case loaded(Descriptor)
  /// The verifier's own words.
  case refusedByVerifier(String)
  case failed(SystemError)
}

/// BPF_PROG_LOAD of an iterator's program; where it fails, once more with the verifier's log.
///
/// - Parameter function: the BTF number of the function that the program is attached to.
package func loadIterator(_ program: [UInt64], for function: UInt32, license: String) -> BPFLoad {
  let count = UInt32(truncatingIfNeeded: program.count)
  do throws(SystemError) {
    return .loaded(
      try Descriptor(owning: portwhy_bpf_load_iterator(program, count, license, function, nil, 0)))
  } catch {
    guard error != .noSystemCall else { return .failed(error) }
    var again: Int32 = -1
    let log = [UInt8](unsafeUninitializedCapacity: 1 << 18) { buffer, length in
      buffer.initialize(repeating: 0)
      again = buffer.withMemoryRebound(to: CChar.self) { log in
        portwhy_bpf_load_iterator(
          program, count, license, function, log.baseAddress, UInt32(truncatingIfNeeded: log.count))
      }
      length = buffer.firstIndex(of: 0) ?? buffer.count
    }
    if again >= 0, let loaded = try? Descriptor(owning: again) { return .loaded(loaded) }
    return log.isEmpty ? .failed(error) : .refusedByVerifier(String(decoding: log, as: UTF8.self))
  }
}

extension Descriptor {
  /// BPF_LINK_CREATE: attaches a loaded program to the iterator it was loaded for.
  ///
  /// - Parameter pid: the process whose descriptors alone `task_file` walks; Linux 6.1, E2BIG before.
  package init(linking program: borrowing Descriptor, of pid: Int32? = nil) throws(SystemError) {
    try self.init(owning: portwhy_bpf_link_iterator(program.number, UInt32(bitPattern: pid ?? 0)))
  }

  /// BPF_ITER_CREATE: what read(2) gives is of the namespaces of this thread.
  package init(iterating link: borrowing Descriptor) throws(SystemError) {
    try self.init(owning: portwhy_bpf_open_iterator(link.number))
  }
}
