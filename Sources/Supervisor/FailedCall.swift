package import Evidence
package import SocketModel

/// Who made a call, as /proc/TID tells while the thread stands still.
package struct Caller: Sendable, Hashable {
  /// The thread's number, in this process's pid namespace.
  package var thread: Int32
  /// The process's.
  package var process: Int32
  /// The name of the thread (`Name`), as a program may set it.
  package var command: String
  /// The target of /proc/PID/exe; nil where it may not be read.
  package var executable: String?
  /// The effective uid.
  package var uid: UInt32
  /// The effective capabilities (capabilities(7)), in the thread's own user namespace.
  package var capabilities: UInt64
  /// Whether that is this process's user namespace; nil where it cannot be told.
  package var isInOurUserNamespace: Bool?
  /// The security context (/proc/TID/attr/current) of SELinux, AppArmor or Smack; nil for none.
  package var securityLabel: String?

  /// CAP_NET_BIND_SERVICE is in the effective set.
  package var mayBindPrivileged: Bool { capabilities & 1 << 10 != 0 }
}

/// A bind(2) or listen(2) of a TCP or UDP socket that failed, with what was read while its thread stood still.
package struct FailedCall: Sendable {
  /// Counts the calls of a run.
  package var number: UInt64
  package var function: SocketCall
  /// What the kernel answered.
  package var errno: SystemError
  /// What bind(2) was given, or what the socket that may not listen is bound to; nil where it is not known.
  package var address: CallAddress?
  /// The address was another when the call had been made: a second thread writes to that memory.
  package var addressChanged: Bool
  package var caller: Caller
  /// The number of the descriptor in the program.
  package var descriptor: Int32
  /// The socket as it is after the call; nil where the descriptor means something else by now or may not be duplicated.
  package var socket: OwnSocket?
  /// Where the socket's network namespace can be entered, if it is not this process's.
  package var namespace: NamespaceHandle?
  /// CLOCK_MONOTONIC in microseconds.
  package var madeAt: UInt64
}

/// A call that worked.
package struct WorkedCall: Sendable, Hashable {
  package var function: SocketCall
  package var process: Int32
  package var command: String
  package var transport: TransportProtocol
  /// What the socket is bound to (getsockname(2)).
  package var address: CallAddress
  /// The socket's inode.
  package var inode: UInt64
}

/// A network namespace that stays reachable as long as this value exists.
package final class NamespaceHandle: Sendable {
  /// nil where it may not be opened.
  private let descriptor: Int32?

  init(_ descriptor: Int32?) { self.descriptor = descriptor }

  deinit { if let descriptor { closeDescriptor(descriptor) } }

  /// The path by which it is entered.
  package var path: String? { descriptor.map { "/proc/self/fd/\($0)" } }
}
