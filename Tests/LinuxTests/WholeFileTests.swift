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
        #expect(throws: SystemError.fileTooLarge) { try WholeFile(path, atMost: limit).withBytes { $0.byteCount } }
      } else {
        let count = try WholeFile(path, atMost: limit).withBytes { $0.byteCount }
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
    guard exists(path) else { return print("NOT RUN: this kernel shows no types") }
    func sum(_ bytes: RawSpan) -> UInt64 {
      var sum: UInt64 = UInt64(bytes.byteCount)
      for place in stride(from: 0, to: bytes.byteCount, by: 4093) { sum = sum &* 31 &+ UInt64(bytes.byte(at: place)) }
      return sum
    }
    let mapped = try WholeFile(path, atMost: 1 << 27).withBytes(sum)
    #expect(try WholeFile(path, atMost: 1 << 27, mayMap: false).withBytes(sum) == mapped)
  }
}
