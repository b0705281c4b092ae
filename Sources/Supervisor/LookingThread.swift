import CLinux
import Linux
import Synchronization

/// Looks at the command's processes on a thread of its own, because some looks may never end: memory behind
/// userfaultfd(2) or a file system in user space, the lock of a socket. Who cannot wait asks for the answer in time.
final class LookingThread: Sendable {
  private struct State {
    /// Its number, gettid(2); 0 before it runs.
    var thread: Int32 = 0
    var job: (@Sendable () -> Void)?
    var isOver = false
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
  }

  /// What `look` finds; nil where it takes longer and waits for somebody. Then this thread is of no use any more.
  func find<Found: Sendable>(within microseconds: UInt64, _ look: @escaping @Sendable () -> Found) -> Found? {
    let found = Answer<Found>()
    state.withLock { $0.job = { found.value.withLock { $0 = look() } } }
    work.raise()
    let start = Clock.microseconds
    var end = start + microseconds
    while !done.wait(until: end) {
      guard isRunning, Clock.microseconds &- start < Self.mostAtWork else { return nil }
      end = Clock.microseconds + Self.pause
    }
    return found.value.withLock { $0 }
  }

  /// On a busy machine a look that waits for nobody waits for a processor; but not for ever.
  private static let mostAtWork: UInt64 = 5_000_000
  private static let pause: UInt64 = 20_000

  /// It runs, or would if a processor were free (proc(5), `/proc/PID/stat`).
  private var isRunning: Bool {
    let thread = state.withLock { $0.thread }
    return fileContents("/proc/self/task/\(thread)/status").map(StatusFile.init)?.text("State:")?.first == "R"
  }

  /// Ends the thread after the job it is at.
  func stop() {
    state.withLock { $0.isOver = true }
    work.raise()
  }

  private func run() {
    state.withLock { $0.thread = portwhy_thread_number() }
    while true {
      _ = work.wait()
      let (job, isOver) = state.withLock { state in
        defer { state.job = nil }
        return (state.job, state.isOver)
      }
      if isOver { return }
      job?()
      done.raise()
    }
  }

  private final class Answer<Found: Sendable>: Sendable {
    let value = Mutex<Found?>(nil)
  }
}

/// Looks, each with a deadline; a thread that is stuck is left behind and another one takes its place.
struct BoundedLooks {
  /// Long for a busy machine, and short for the calls that wait behind it.
  static let patience: UInt64 = 100_000
  private static let mostStuck = 16

  private var thread: LookingThread?
  private var stuck = 0

  init() {}

  /// nil where it took too long, or too many did.
  mutating func find<Found: Sendable>(_ look: @escaping @Sendable () -> Found) -> Found? {
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
