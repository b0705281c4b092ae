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

/// Starts a thread that nobody waits for and that runs `body` (pthread_create(3)): for what blocks longer than a thread
/// of a shared pool may.
package func startThread(_ body: @escaping @Sendable () -> Void) throws(SystemError) {
  let work = Unmanaged.passRetained(ThreadBody(run: body))
  var attributes = pthread_attr_t()
  pthread_attr_init(&attributes)
  pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
  defer { pthread_attr_destroy(&attributes) }
  var thread = pthread_t()
  let failure = pthread_create(
    &thread, &attributes,
    { raw in
      if let raw { Unmanaged<ThreadBody>.fromOpaque(raw).takeRetainedValue().run() }
      return nil
    }, work.toOpaque())
  if failure != 0 {
    work.release()
    throw SystemError(rawValue: failure)
  }
}

/// Only an object can be handed through a C pointer.
private final class ThreadBody: Sendable {
  let run: @Sendable () -> Void

  init(run: @escaping @Sendable () -> Void) { self.run = run }
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
