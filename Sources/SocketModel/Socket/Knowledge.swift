/// Where a fact about a socket was read.
public enum EvidenceSource: String, Sendable, Hashable, CaseIterable {
  /// A field or attribute of a sock_diag(7) reply.
  case sockDiag = "sock_diag"
  /// getsockopt(2) on a duplicate of the owner's descriptor (pidfd_getfd(2)).
  case getsockopt
  /// A field of the kernel's own socket, read by a BPF iterator.
  case bpf
}

/// Why a fact about a socket could not be read.
public enum UnknownReason: String, Sendable, Hashable, CaseIterable {
  /// The reader is not permitted to look at the owner (ptrace(2), "Ptrace access mode checking").
  case hidden
  /// The reader owns the process, but the Yama security module forbids it (`kernel.yama.ptrace_scope`).
  case yama
  /// No process holds the socket: TIME_WAIT, an orphan, a child that nobody accepted yet.
  case noOwner = "no-owner"
  /// The kernel itself holds the socket.
  case kernel
  /// The socket or its owner was gone when it was to be read.
  case vanished
  /// A subflow of MPTCP: getsockopt(2) on the owner's descriptor answers for the first one (`mptcp_getsockopt`).
  case subflow
  /// The running kernel has no interface that tells (pidfd_getfd(2) needs Linux 5.6).
  case oldKernel = "old-kernel"
  /// Whoever could tell did not answer in time: another process keeps a lock, or the file that the descriptor has become
  /// keeps the kernel waiting.
  case noAnswer = "no-answer"
}

/// A fact that is known, guessed or not known, and in each case why.
public enum Knowledge<Value: Sendable & Hashable>: Sendable, Hashable {
  /// Read from the kernel.
  case known(Value, EvidenceSource)
  /// Guessed from the relative at this index of the snapshot (a child from its listener). Shown to people;
  /// never makes an answer sure.
  case inferred(Value, from: Int, because: UnknownReason)
  /// Not known, and why.
  case unknown(UnknownReason)

  /// The value where it was read from the kernel, else nil: the only accessor the rules may use.
  public var sure: Value? {
    if case .known(let value, _) = self { value } else { nil }
  }

  /// The value to show: read or guessed, nil where nothing is known.
  package var shown: Value? {
    switch self {
    case .known(let value, _), .inferred(let value, _, _): value
    case .unknown: nil
    }
  }

  /// Why the value is not sure; nil where it is.
  public var unknownReason: UnknownReason? {
    switch self {
    case .known: nil
    case .inferred(_, _, let reason), .unknown(let reason): reason
    }
  }
}
