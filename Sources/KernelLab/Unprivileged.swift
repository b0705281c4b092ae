public import SocketModel

/// Runs `body` on a thread of its own that has lost every privilege: uid 65534, no groups, no capabilities.
///
/// The thread is in the network namespace of the calling one, which waits for it.
public func asNobody(_ body: () -> Void) throws(SystemError) {
  var failure: SystemError?
  try SystemCalls.onOwnThread {
    do throws(SystemError) {
      try SystemCalls.becomeNobody()
      body()
    } catch {
      failure = error
    }
  }
  if let failure { throw failure }
}
