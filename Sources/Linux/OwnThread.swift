import CLinux
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

/// Runs `body` on a thread of its own that nobody waits for (pthread_create(3), pthread_detach(3)); false where there is none
/// to start.
package func startThread(_ body: @escaping @Sendable () -> Void) -> Bool {
  let work = Unmanaged.passRetained(Work(body)).toOpaque()
  var thread = pthread_t()
  let failure = pthread_create(
    &thread, nil,
    { raw in
      if let raw { Unmanaged<Work>.fromOpaque(raw).takeRetainedValue().body() }
      return nil
    }, work)
  guard failure == 0 else {
    Unmanaged<Work>.fromOpaque(work).release()
    return false
  }
  pthread_detach(thread)
  return true
}

/// A class, because pthread_create(3) takes one pointer.
private final class Work: Sendable {
  let body: @Sendable () -> Void

  init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

/// Ends a wait of another thread (eventfd(2)). An object, because both threads hold it and the last closes it.
package final class StopSwitch: Sendable {
  /// Readable once it is turned.
  package let descriptor: Int32

  package init() throws(SystemError) {
    descriptor = portwhy_event_descriptor()
    if descriptor < 0 { throw .last }
  }

  deinit { close(descriptor) }

  /// For good.
  package func turn() { portwhy_turn_event(descriptor) }

  package var isTurned: Bool { portwhy_event_is_turned(descriptor) }
}
