import Linux
package import SocketModel

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
