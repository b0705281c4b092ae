import Glibc
package import SocketModel

/// Runs `body` on a thread of its own and waits for its end (pthread_create(3), pthread_join(3)): whatever it does to its
/// namespaces ends with it.
package func onOwnThread(_ body: () -> Void) throws(SystemError) {
  var failure: Int32 = 0
  withoutActuallyEscaping(body) { body in
    var work = body
    withUnsafeMutablePointer(to: &work) { pointer in
      var thread = pthread_t()
      failure = pthread_create(
        &thread, nil,
        { raw in
          raw?.assumingMemoryBound(to: (() -> Void).self).pointee()
          return nil
        }, pointer)
      if failure == 0 { pthread_join(thread, nil) }
    }
  }
  if failure != 0 { throw SystemError(rawValue: failure) }
}
