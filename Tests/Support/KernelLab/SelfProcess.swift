package import SocketModel

/// This program once more, as a process of its own in the network namespace of the thread that starts it, to talk
/// to line by line.
///
/// A thread would not do: the kernel lets a process look at itself, whatever uid its threads have
/// (`ptrace_may_access`, `proc_fd_permission`). It ends with its standard input.
package struct SelfProcess: ~Copyable {
  private let channel: Int32
  private let process: Int32
  private var pending: [UInt8] = []

  /// - Parameter arguments: those of the new process.
  package init(arguments: [String]) throws(SystemError) {
    (channel, process) = try Self.start(arguments)
  }

  private static func start(_ arguments: [String]) throws(SystemError) -> (channel: Int32, process: Int32) {
    let (own, other) = try SystemCalls.socketPair()
    defer { SystemCalls.close(other) }
    do {
      return (own, try SystemCalls.spawnSelf(arguments, channel: other))
    } catch {
      SystemCalls.close(own)
      throw error
    }
  }

  deinit {
    SystemCalls.close(channel)
    SystemCalls.wait(for: process)
  }

  /// Sends one line; `line` is without its newline.
  package func send(_ line: String) throws(SystemError) {
    var bytes = Array((line + "\n").utf8)
    while !bytes.isEmpty { bytes.removeFirst(try SystemCalls.send(channel, bytes)) }
  }

  /// The next line without its newline; EPIPE where the process has ended.
  package mutating func receive() throws(SystemError) -> String {
    while true {
      if let end = pending.firstIndex(of: 10) {
        defer { pending.removeSubrange(...end) }
        return String(decoding: pending[..<end], as: UTF8.self)
      }
      let more = try SystemCalls.receive(channel, atMost: 65536)
      guard !more.isEmpty else { throw SystemError(rawValue: 32) }
      pending += more
    }
  }
}
