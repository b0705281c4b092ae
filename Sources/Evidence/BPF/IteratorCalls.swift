import Linux
import SocketModel

// The calls of `Linux` with what their errors mean for evidence.

extension BPFEvidence {
  /// Hands over the bytes of the kernel's types, which are gone afterwards.
  static func withTypes<Result>(
    _ path: String, mayMap: Bool = true, atMost limit: Int, _ body: (RawSpan) throws(BPFError) -> Result
  ) throws(BPFError) -> Result {
    let file: WholeFile
    do throws(SystemError) {
      file = try WholeFile(path, atMost: limit, mayMap: mayMap)
    } catch {
      throw error == .fileTooLarge ? .malformedTypes(offset: 0, .tooLarge) : .noTypes(path: path, error)
    }
    return try file.withBytes(body)
  }

  /// Loads a program and opens its iterator.
  ///
  /// - Parameter pid: the process whose descriptors alone `task_file` walks, Linux 6.1.
  static func open(_ program: [UInt64], for function: UInt32, of pid: Int32? = nil) throws(BPFError) -> Descriptor {
    let loaded = try load(program, for: function)
    let link: Descriptor
    do throws(SystemError) { link = try Descriptor(linking: loaded, of: pid) } catch {
      // E2BIG: the older kernel does not know the number of a process there.
      throw error == .argumentTooLong
        ? .unsupported(call: "BPF_LINK_CREATE of a process", error) : BPFError(call: "BPF_LINK_CREATE", error)
    }
    do throws(SystemError) { return try Descriptor(iterating: link) } catch {
      throw BPFError(call: "BPF_ITER_CREATE", error)
    }
  }

  /// The kernel lets only programs under a GPL-compatible licence read its structures (`license_is_gpl_compatible`).
  private static let license = "Dual MIT/GPL"

  private static func load(_ program: [UInt64], for function: UInt32) throws(BPFError) -> Descriptor {
    switch loadIterator(program, for: function, license: license) {
    case .loaded(let loaded): return loaded
    case .refusedByVerifier(let log): throw .verifierRefused(log: log)
    case .failed(.noSystemCall): throw .unsupported(call: "bpf(2)", .noSystemCall)
    case .failed(let error): throw BPFError(call: "BPF_PROG_LOAD", error)
    }
  }
}

extension BPFError {
  /// What an error of bpf(2) means.
  fileprivate init(call: String, _ error: SystemError) {
    switch error {
    case .notPermitted, .accessDenied: self = .notPermitted(missing: missingCapabilities())
    case .invalidArgument, .noSystemCall: self = .unsupported(call: call, error)
    default: self = .failed(call: call, error)
    }
  }
}

/// The names of the capabilities that the calling thread lacks: CAP_SYS_ADMIN stands for both.
func missingCapabilities() -> [String] {
  guard let effective = Capabilities.ofThisThread, !effective.contains(.sysAdmin) else { return [] }
  return [("CAP_BPF", Capabilities.bpf), ("CAP_PERFMON", .perfmon)].filter { !effective.contains($0.1) }.map(\.0)
}
