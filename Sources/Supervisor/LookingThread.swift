import CLinux
import Linux
import Synchronization

/// Looks at the command's processes on a thread of its own, because some looks may never end: memory behind
/// userfaultfd(2) or a file system in user space, the lock of a socket. Who cannot wait asks for the answer in time. What no
/// signal would end, a look into /proc, is done by a child of the thread.
final class LookingThread: Sendable {
  /// Milliseconds that its child may sleep for others.
  static let patience: UInt32 = 100

  private struct State {
    var job: (@Sendable (ProcessFiles) -> Void)?
    var isOver = false
    /// Its number.
    var thread: Int32 = 0
  }

  private let state = Mutex(State())
  private let work: Alarm
  private let done: Alarm

  /// nil where no thread is to be had.
  init?() {
    guard let work = Alarm(), let done = Alarm() else { return nil }
    self.work = work
    self.done = done
    guard startThread({ self.run() }) else { return nil }
    _ = done.wait()
  }

  /// What `look` finds; nil where it sleeps longer. Then this thread is of no use any more.
  func find<Found: Sendable>(
    within milliseconds: UInt32, _ look: @escaping @Sendable (ProcessFiles) -> Found
  ) -> Found? {
    let found = Answer<Found>()
    let thread = state.withLock { state in
      state.job = { files in found.value.withLock { $0 = look(files) } }
      return state.thread
    }
    work.raise()
    guard portwhy_await_thread(thread, done.descriptor, milliseconds) != 0 else { return nil }
    done.clear()
    return found.value.withLock { $0 }
  }

  /// Ends the thread after the job it is at.
  func stop() {
    state.withLock { $0.isOver = true }
    work.raise()
  }

  private func run() {
    state.withLock { $0.thread = portwhy_thread_number() }
    done.raise()
    // A child of this thread, which ends with it.
    let files = ProcessFiles(patienceForEach: Self.patience)
    defer { files.end() }
    while true {
      _ = work.wait()
      let (job, isOver) = state.withLock { state in
        defer { state.job = nil }
        return (state.job, state.isOver)
      }
      if isOver { return }
      job?(files)
      done.raise()
    }
  }

  private final class Answer<Found: Sendable>: Sendable {
    let value = Mutex<Found?>(nil)
  }
}

/// Looks, each with a deadline; a thread that is stuck is left behind and another one takes its place.
struct BoundedLooks {
  /// Milliseconds that it may sleep for others, as the calls that wait behind it do: the sleep of its child, and as long
  /// again and more for its own, in which that child may have waited for a processor. The time in which it runs, or would if a
  /// processor were free, does not count.
  static let patience: UInt32 = 3 * LookingThread.patience
  private static let mostStuck = 16

  private var thread: LookingThread?
  private var stuck = 0

  init() {}

  /// nil where it took too long, or too many did.
  mutating func find<Found: Sendable>(_ look: @escaping @Sendable (ProcessFiles) -> Found) -> Found? {
    guard stuck < Self.mostStuck else { return nil }
    if thread == nil { thread = LookingThread() }
    guard let thread else { return nil }
    if let found = thread.find(within: Self.patience, look) { return found }
    thread.stop()
    self.thread = nil
    stuck += 1
    return nil
  }
}
