import CNetlink
import Glibc

/// Signals that end a wait in good order instead of killing the program, as long as this value lives.
///
/// A signal that is ignored stays so: nohup(1) and a shell's `&` mean it.
public struct StopSignals: ~Copyable {
  let descriptor: Int32
  private var before = sigset_t()

  /// `numbers` as in signal(7); without any, or where there is no signalfd(2), nothing changes.
  public init(_ numbers: [Int32]) {
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
  public func received() -> Int32? {
    guard descriptor >= 0 else { return nil }
    let number = portwhy_received_signal(descriptor)
    return number > 0 ? number : nil
  }
}
