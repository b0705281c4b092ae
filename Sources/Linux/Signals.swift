import CLinux
import Glibc

/// Signals that end a wait in good order instead of killing the program, as long as this value lives.
///
/// A signal that is ignored stays so: nohup(1) and a shell's `&` mean it.
package struct StopSignals: ~Copyable {
  /// Readable when one has come; -1 where none is waited for.
  package let descriptor: Int32
  private var before = sigset_t()

  /// `numbers` as in signal(7); without any, or where there is no signalfd(2), nothing changes.
  package init(_ numbers: [Int32]) {
    descriptor =
      numbers.isEmpty ? -1 : portwhy_signal_descriptor(numbers, Int32(clamping: numbers.count), &before)
  }

  deinit {
    guard descriptor >= 0 else { return }
    var mask = before
    pthread_sigmask(SIG_SETMASK, &mask, nil)
    close(descriptor)
  }

  /// The number of a signal that has come; nil where none has.
  package func received() -> Int32? {
    guard descriptor >= 0 else { return nil }
    let number = portwhy_received_signal(descriptor)
    return number > 0 ? number : nil
  }
}

/// Waits until one of the descriptors can be read, or so many milliseconds have passed (poll(2)). Negative descriptors are
/// ignored, an error shows as readable, and a signal may end the wait early.
package func waitToRead(_ descriptors: [Int32], milliseconds: UInt64) {
  var waiting = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
  _ = poll(&waiting, nfds_t(waiting.count), Int32(clamping: milliseconds))
}
