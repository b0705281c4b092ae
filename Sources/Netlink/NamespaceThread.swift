import CNetlink
import Glibc

/// Runs `body` on a thread of its own in the network namespace behind `path` and waits for it; the caller's own
/// namespace does not change. Nil where the namespace cannot be opened or entered (setns(2) needs CAP_SYS_ADMIN).
public func inNetworkNamespace<Value: Sendable>(_ path: String, _ body: @Sendable () -> Value) -> Value? {
  let namespace = open(path, O_RDONLY | O_CLOEXEC)
  guard namespace >= 0 else { return nil }
  defer { close(namespace) }
  return withoutActuallyEscaping(body) { body in
    let work = NamespaceWork(namespace: namespace, body: body)
    var thread = pthread_t()
    let argument = Unmanaged.passRetained(work as AnyObject).toOpaque()
    let failure = pthread_create(&thread, nil, { runNamespaceWork($0) }, argument)
    guard failure == 0 else {
      Unmanaged<AnyObject>.fromOpaque(argument).release()
      return nil
    }
    pthread_join(thread, nil)
    return work.result
  }
}

/// What a thread is to do and what came of it. A class, because a C function pointer carries one address; it is
/// written by the thread and read after pthread_join(3).
private final class NamespaceWork<Value: Sendable>: RunnableWork, @unchecked Sendable {
  let namespace: Int32
  let body: () -> Value
  var result: Value?

  init(namespace: Int32, body: @escaping () -> Value) {
    self.namespace = namespace
    self.body = body
  }

  func run() {
    if portwhy_setns_network(namespace) == 0 { result = body() }
  }
}

private protocol RunnableWork: AnyObject {
  func run()
}

private func runNamespaceWork(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  guard let argument else { return nil }
  (Unmanaged<AnyObject>.fromOpaque(argument).takeRetainedValue() as? any RunnableWork)?.run()
  return nil
}
