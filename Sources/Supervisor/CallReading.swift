import CLinux
import Evidence
import Linux
import SocketModel

// What is read while the thread of a call stands still. All of it may block for ever: see `LookingThread`.

extension FailedCall {
  /// nil where the thread is gone.
  init?(_ run: RunningCall, _ errno: SystemError, number: UInt64, ownNamespace: UInt64) {
    guard let caller = Caller(thread: run.call.thread) else { return nil }
    self.number = number
    function = run.call.function
    self.errno = errno
    self.caller = caller
    address = CallAddress(run.address)
    addressChanged = run.call.function == .bind && run.call.addressBytes() != run.address
    descriptor = run.call.descriptor
    madeAt = Clock.microseconds
    guard let own = run.duplicate() else { return }
    socket = try? OwnSocket(descriptor: own.number)
    if run.call.function == .listen { address = CallAddress(localName(of: own.number)) }
    let cookie = portwhy_namespace_cookie(own.number)
    if cookie != 0, ownNamespace != 0, cookie != ownNamespace {
      // The socket's, which need not be the thread's (setns(2)); that one needs CAP_NET_ADMIN there.
      let ofSocket = portwhy_socket_namespace(own.number)
      namespace = NamespaceHandle(ofSocket >= 0 ? ofSocket : openNamespace("/proc/\(run.call.thread)/ns/net"))
    }
  }
}

extension WorkedCall {
  /// nil where the socket is another by now.
  init?(_ run: RunningCall) {
    guard let own = run.duplicate(), let socket = try? OwnSocket(descriptor: own.number),
      let address = CallAddress(localName(of: own.number)), let caller = Caller(thread: run.call.thread)
    else { return nil }
    function = run.call.function
    process = caller.process
    command = caller.command
    transport = socket.transport
    self.address = address
    inode = run.inode
  }
}

extension RunningCall {
  /// A duplicate of the socket of the call, if the descriptor still is that.
  fileprivate func duplicate() -> OwnedDescriptor? {
    guard let number = try? duplicateDescriptor(call.descriptor, of: call.thread),
      let own = OwnedDescriptor(number), socketInode(number) == inode
    else { return nil }
    return own
  }
}
