public import SocketModel

/// Takes every privilege from the calling thread for good: uid and gid 65534, no groups, no capabilities.
///
/// For a process with one thread: nothing of it may look at processes of other users then.
public func becomeNobody() throws(SystemError) {
  try SystemCalls.becomeNobody()
}
