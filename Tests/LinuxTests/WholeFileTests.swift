import Glibc
import Linux
import SocketModel
import Testing

@Suite("A whole file")
struct WholeFileTests {
  /// A file with these bytes, removed afterwards.
  private func withFile<Result>(_ bytes: [UInt8], _ body: (String) throws -> Result) throws -> Result {
    var template = Array("/tmp/portwhy-linux-XXXXXX".utf8CString)
    let descriptor = mkstemp(&template)
    try #require(descriptor >= 0 && write(descriptor, bytes, bytes.count) == bytes.count)
    close(descriptor)
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer { unlink(path) }
    return try body(path)
  }

  private func opened(_ path: String) throws -> OpenFile {
    let told = ProcessFiles().ask(ProcessQuestion(.named([]), [], rootFiles: [.opened(path)])).root
    return try #require(told.file(path))
  }

  private static let bytes = (0..<10_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }

  @Test("is read to its end, however many bytes were expected", arguments: [0, 1, 9_999, 10_000, 10_001, 1 << 20])
  func expectation(size: Int) throws {
    try withFile(Self.bytes) { path in
      let read = try Descriptor(file: path).bytes(atMost: 1 << 20, expecting: size)
      #expect(read == Self.bytes)
    }
  }

  @Test("of more bytes than the limit is cut there", arguments: [1, 4096, 9_999, 10_000])
  func limit(_ limit: Int) throws {
    try withFile(Self.bytes) { path in
      let read = try Descriptor(file: path).bytes(atMost: limit, expecting: 10)
      #expect(read == Array(Self.bytes.prefix(limit)))
      if limit < Self.bytes.count {
        #expect(throws: SystemError.fileTooLarge) {
          try WholeFile(opened(path), atMost: limit).withBytes { $0.byteCount }
        }
      } else {
        let count = try WholeFile(opened(path), atMost: limit).withBytes { $0.byteCount }
        #expect(count == limit)
      }
    }
  }

  @Test("of /proc, whose size is 0, is read as well")
  func proc() throws {
    #expect(try FileStatus(ofFile: "/proc/self/status").size == 0)
    guard case .text(let text) = readText("/proc/self/status") else { throw SystemError.noEntry }
    #expect(text.hasPrefix("Name:") && text.contains("CapEff:"))
  }

  @Test("that is not there is absent, one that cannot be read or is too long is unreadable")
  func failures() throws {
    #expect(readText("/nonexistent") == .absent && readText("/proc/self/status/x") == .absent)
    #expect(readText("/proc") == .unreadable && readText("/dev/zero") == .unreadable)
  }

  @Test("that is mapped has the bytes that reading it gives")
  func mapped() throws {
    let path = "/sys/kernel/btf/vmlinux"
    guard (try? FileStatus(ofFile: path)) != nil else { return print("NOT RUN: this kernel shows no types") }
    func sum(_ bytes: RawSpan) -> UInt64 {
      var sum: UInt64 = UInt64(bytes.byteCount)
      for place in stride(from: 0, to: bytes.byteCount, by: 4093) { sum = sum &* 31 &+ UInt64(bytes.byte(at: place)) }
      return sum
    }
    let mapped = try WholeFile(opened(path), atMost: 1 << 27).withBytes(sum)
    #expect(try WholeFile(opened(path), atMost: 1 << 27, mayMap: false).withBytes(sum) == mapped)
  }

  @Test("that stood in a directory is regular, or is not read; a FIFO is not waited for")
  func listed() throws {
    try withFile(Self.bytes) { path in
      guard case .opened(let number) = SystemCalls.openForReading(path, isListed: true) else {
        Issue.record("the file itself")
        return
      }
      close(number)
      try #require(unlink(path) == 0 && mkfifo(path, 0o600) == 0)
      guard case .failed = SystemCalls.openForReading(path, isListed: true) else {
        Issue.record("a FIFO in its place")
        return
      }
      guard case .failed = SystemCalls.openForReading("/dev/null", isListed: true) else {
        Issue.record("a device")
        return
      }
    }
  }
}

@Suite("What may be waited for")
struct BoundedCallTests {
  @Test("a line goes to a pipe that has room, and is not waited for where nobody reads")
  func line() throws {
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    defer { for end in ends { close(end) } }
    #expect(SystemCalls.writeLine("one\n", to: ends[1], until: 0), "room now")
    #expect(!SystemCalls.writeLine(String(repeating: "x", count: 10_000), to: ends[1], until: 0), "no line")
    let flags = fcntl(ends[1], F_GETFL)
    _ = fcntl(ends[1], F_SETFL, flags | O_NONBLOCK)
    let bytes = [UInt8](repeating: 0, count: 4096)
    while write(ends[1], bytes, bytes.count) > 0 {}
    _ = fcntl(ends[1], F_SETFL, flags)
    #expect(!SystemCalls.writeLine("two\n", to: ends[1], until: Clock.microseconds + 1000))
  }

  @Test("users have the names of passwd(5), and what nobody knows has none")
  func users() {
    let unknown = Set((0..<1000).map { 3_000_000_000 + UInt32($0) })
    #expect(SystemCalls.users(unknown.union([0])) == [0: "root"])
    #expect(SystemCalls.user(0) == "root" && SystemCalls.user(3_000_000_000) == nil && SystemCalls.users([]) == [:])
  }
}
