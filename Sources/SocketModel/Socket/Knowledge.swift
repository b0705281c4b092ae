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

/// What the kernel remembers of the binds of one TCP port in one layer-3 domain (`struct inet_bind_bucket`).
///
/// With it bind(2) lets some sockets pass without looking at the owners, so it decides beside the sockets' own flags.
package struct BindBucket: Sendable, Hashable {
  /// `fastreuseport`.
  package enum FastReuseport: Int8, Sendable, Hashable {
    /// FASTREUSEPORT_ANY: every SO_REUSEPORT socket of `fastUID` passes.
    case any = 1
    /// FASTREUSEPORT_STRICT: those whose address `fastAddress` covers.
    case strict = 2
  }

  /// The port.
  package var port: Port
  /// `l3mdev`: the VRF; nil for none.
  package var layer3Domain: InterfaceIndex?
  /// `fastreuse` > 0: SO_REUSEADDR sockets pass.
  package var fastReuse: Bool
  /// nil where `fastreuseport` is 0 or -1: nobody passes.
  package var fastReuseport: FastReuseport?
  /// `fastuid`, as the initial user namespace has it.
  package var fastUID: UInt32
  /// `fast_sk_family`.
  package var fastFamily: AddressFamily
  /// `fast_v6_rcv_saddr`, or for AF_INET the IPv4-mapped form of `fast_rcv_saddr`.
  package var fastAddress: IPv6Address
  /// `fast_rcv_saddr`.
  package var fastAddress4: IPv4Address
  /// `fast_ipv6_only`.
  package var fastIPv6only: Bool

  package init(
    port: Port, layer3Domain: InterfaceIndex? = nil, fastReuse: Bool, fastReuseport: FastReuseport?,
    fastUID: UInt32, fastFamily: AddressFamily, fastAddress: IPv6Address, fastAddress4: IPv4Address,
    fastIPv6only: Bool
  ) {
    self.port = port
    self.layer3Domain = layer3Domain
    self.fastReuse = fastReuse
    self.fastReuseport = fastReuseport
    self.fastUID = fastUID
    self.fastFamily = fastFamily
    self.fastAddress = fastAddress
    self.fastAddress4 = fastAddress4
    self.fastIPv6only = fastIPv6only
  }
}

/// A word of the report: one that this version knows, or one of another version, kept as it stands.
package enum OpenWord<Known: RawRepresentable<String> & Hashable & Sendable>: RawRepresentable, Sendable, Hashable {
  /// A word that this version knows.
  case known(Known)
  /// Another version's; never one that this version knows.
  case other(String)

  /// Reads any word, known or not.
  package init(rawValue: String) { self = Known(rawValue: rawValue).map(OpenWord.known) ?? .other(rawValue) }

  /// The word as it stands in the report.
  package var rawValue: String {
    switch self {
    case .known(let word): word.rawValue
    case .other(let word): word
    }
  }

  /// nil for a word of another version.
  package var known: Known? {
    if case .known(let word) = self { word } else { nil }
  }
}
