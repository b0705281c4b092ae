public import SocketModel

/// The call of a program that a report explains (`portwhy -- COMMAND`), the object `call` of the JSON form.
public struct ReportedCall: Sendable, Hashable {
  /// What became of the program afterwards.
  public struct Sequel: Sendable, Hashable {
    /// The address that it has now.
    public var endpoint: Endpoint
    /// Whether that is the address that it asked for first.
    public var isSame: Bool

    /// The program has this address now.
    public init(endpoint: Endpoint, isSame: Bool) {
      self.endpoint = endpoint
      self.isSame = isSame
    }
  }

  /// bind(2) or listen(2).
  public var function: SocketCall
  /// What it answered.
  public var errno: SystemError
  /// What was to be bound; for listen(2) what was bound.
  public var endpoint: Endpoint
  /// The process.
  public var pid: Int32
  /// The thread.
  public var tid: Int32
  /// The thread's name (proc(5)).
  public var command: String
  /// The number of the socket's descriptor in the program.
  public var descriptor: Int32
  /// How often the same call of this process failed.
  public var tries: Int
  /// nil where the program got no port since.
  public var then: Sequel?
  /// How long the thread stood still, in microseconds.
  public var stoppedMicroseconds: UInt64

  /// A call that failed once.
  public init(
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
