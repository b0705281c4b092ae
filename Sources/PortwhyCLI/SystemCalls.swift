internal import Glibc

/// The only file of this target that calls the system.
enum SystemCalls {
  /// Makes a closed pipe an error of write(2), not the end of the program.
  static func ignoreBrokenPipe() {
    signal(SIGPIPE, SIG_IGN)
  }

  enum WriteResult: Hashable {
    case written
    /// EPIPE: nobody reads any more.
    case closedPipe
    /// strerror(3) of what happened.
    case failed(String)
  }

  /// Writes everything, write(2).
  static func write(_ text: String, to descriptor: Int32) -> WriteResult {
    var text = text
    return text.withUTF8 { buffer in
      var rest = UnsafeRawBufferPointer(buffer)
      while !rest.isEmpty {
        let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
        if count >= 0 {
          rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
        } else if errno == EAGAIN {
          var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
          _ = poll(&waiting, 1, -1)
        } else if errno != EINTR {
          return errno == EPIPE ? .closedPipe : .failed(String(cString: strerror(errno)))
        }
      }
      return .written
    }
  }

  /// The columns of a terminal (TIOCGWINSZ, ioctl_tty(2)); nil where the descriptor is none or it does not say.
  static func terminalColumns(_ descriptor: Int32) -> Int? {
    var size = winsize()
    guard isTerminal(descriptor), ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
    return Int(size.ws_col)
  }

  /// isatty(3).
  static func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

  /// getenv(3).
  static func environment(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }
  }

  /// The uid of a user, getpwnam(3); nil where there is none.
  static func uid(ofUser name: String) -> UInt32? {
    getpwnam(name)?.pointee.pw_uid
  }

  /// The name of a uid, getpwuid(3); nil where there is none.
  static func user(_ uid: UInt32) -> String? {
    getpwuid(uid).flatMap { $0.pointee.pw_name }.map { String(cString: $0) }
  }

  /// A clock that only goes forward, in microseconds (CLOCK_MONOTONIC, clock_gettime(2)).
  static func microseconds() -> UInt64 {
    var time = timespec()
    guard clock_gettime(CLOCK_MONOTONIC, &time) == 0 else { return 0 }
    return UInt64(clamping: time.tv_sec) &* 1_000_000 &+ UInt64(clamping: time.tv_nsec / 1000)
  }

  /// A whole small file, at most 1 MiB; nil where it cannot be read.
  static func contents(of path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while bytes.count < 1 << 20 {
      let count = chunk.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      if count <= 0 { break }
      bytes += chunk[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
