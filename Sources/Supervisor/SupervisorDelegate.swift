package import SocketModel

/// What is done about the calls of a command. Everything is called on the thread of `Supervisor.run`, and quickly: the
/// calls of the whole tree wait meanwhile.
package protocol SupervisorDelegate: AnyObject {
  /// Whether calls that work are worth the time to look at them.
  var wantsWorkedCalls: Bool { get }

  /// A call failed. The answer is whether its thread is to stand still until `Supervisor.release(call:)`, one second
  /// at most.
  func failed(_ call: FailedCall) -> Bool

  /// A call worked.
  func worked(_ call: WorkedCall)

  /// A call of this thread could not be looked at.
  func unseen(_ function: SocketCall, thread: Int32, _ reason: UnseenReason)

  /// A process that was watched has ended.
  func ended(process: Int32)

  /// The alarm was raised.
  func alarmed()

  /// Time has come for `deadline`.
  func tick(now: UInt64)

  /// When to call `tick`, CLOCK_MONOTONIC in microseconds; nil for never.
  var deadline: UInt64? { get }
}
