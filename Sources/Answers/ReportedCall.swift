package import SocketModel

/// The call of a program that a report explains (`portwhy -- COMMAND`), the object `call` of the JSON form.
package struct ReportedCall: Sendable, Hashable {
  /// What became of the program afterwards.
  package struct Sequel: Sendable, Hashable {
    /// The address that it has now.
    package var endpoint: Endpoint
    /// Whether that is the address that it asked for first.
    package var isSame: Bool

    /// The program has this address now.
    package init(endpoint: Endpoint, isSame: Bool) {
      self.endpoint = endpoint
      self.isSame = isSame
    }
  }

  /// bind(2) or listen(2).
  package var function: SocketCall
  /// What it answered.
  package var errno: SystemError
  /// What was to be bound; for listen(2) what was bound.
  package var endpoint: Endpoint
  /// The process.
  package var pid: Int32
  /// The thread.
  package var tid: Int32
  /// The thread's name (proc(5)).
  package var command: String
  /// The number of the socket's descriptor in the program.
  package var descriptor: Int32
  /// How often the same call of this process failed.
  package var tries: Int
  /// nil where the program got no port since.
  package var then: Sequel?
  /// How long the thread stood still, in microseconds.
  package var stoppedMicroseconds: UInt64

  /// A call that failed once.
  package init(
    function: SocketCall, errno: SystemError, endpoint: Endpoint, pid: Int32, tid: Int32, command: String,
    descriptor: Int32, tries: Int = 1, then: Sequel? = nil, stoppedMicroseconds: UInt64 = 0
  ) {
    self.function = function
    self.errno = errno
    self.endpoint = endpoint
    self.pid = pid
    self.tid = tid
    self.command = command
    self.descriptor = descriptor
    self.tries = tries
    self.then = then
    self.stoppedMicroseconds = stoppedMicroseconds
  }
}
