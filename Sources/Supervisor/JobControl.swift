import Glibc

/// Which signals the command is sent, and whether portwhy stops when the command does.
///
/// A terminal's signals reach the whole process group, so the command has them already. What a process sends to
/// portwhy's number is meant for the command, whose number nobody knows.
struct JobControl {
  let command: Int32
  var isCommandStopped = false
  /// A signal that stops came to this process too, since both ran last.
  private var isToldToStop = false

  init(command: Int32) { self.command = command }

  /// The signal to send to the command; nil for none.
  mutating func relayed(_ number: Int32, code: Int32, sender: Int32) -> Int32? {
    if [SIGTSTP, SIGTTIN, SIGTTOU].contains(number) { isToldToStop = true }
    if number == SIGCHLD { return nil }
    // An alarm(2) of before portwhy ran: the kernel sends it, and to this process alone.
    if number == SIGALRM { return number }
    guard code <= 0, sender != command else { return nil }
    // A shell continues the whole group.
    if number == SIGCONT { return isStoppedNow ? number : nil }
    return number
  }

  /// Asked where the command has stopped. A shell waits for portwhy, so it must see it stop; but who stops the command's
  /// number in the background continues that number too, and not portwhy.
  func stopsToo() -> Bool {
    if isToldToStop { return isStoppedNow }
    let terminal = open("/dev/tty", O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
    guard terminal >= 0 else { return false }
    defer { close(terminal) }
    // A shell has a process group of its own, and gives the terminal back only when it is asked to.
    let front = tcgetpgrp(terminal)
    return (front == getpgrp() || front == getpgid(command)) && isStoppedNow
  }

  /// Both run again.
  mutating func resumed() {
    isToldToStop = false
    isCommandStopped = isStoppedNow
  }

  /// By now it may have been continued.
  private var isStoppedNow: Bool {
    guard let stat = fileContents("/proc/\(command)/stat"), let end = stat.lastIndex(of: UInt8(ascii: ")")),
      stat.count > end + 2
    else { return isCommandStopped }
    return stat[end + 2] == UInt8(ascii: "T")
  }
}
