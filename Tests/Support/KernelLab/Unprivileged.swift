package import SocketModel

/// Takes every privilege from the calling thread for good: uid and gid 65534, no groups, no capabilities.
///
/// For a process with one thread: nothing of it may look at processes of other users then.
package func becomeNobody() throws(SystemError) {
  try SystemCalls.becomeNobody()
}

/// Runs `body` on a thread of its own that has lost every privilege: uid 65534, no groups, no capabilities.
///
/// The thread is in the network namespace of the calling one, which waits for it. It may still look at its own
/// process, whatever that holds.
package func asNobody(_ body: () -> Void) throws(SystemError) {
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
