import CBPFTests
import Glibc
import Linux
import SocketModel
import Testing

@testable import Evidence

extension KernelSuite {
  /// The running kernel's own types.
  @Suite struct KernelTypes {
    @Test("This kernel's types have everything the programs read")
    func complete() throws {
      let layout = try BPFEvidence().layout
      #expect(Set(layout.iterators.keys) == Set(BPFIterator.allCases))
      #expect(layout.common.reuse?.bitCount == 4)
      #expect(layout.common.reuseport?.bitCount == 1)
      #expect(layout.common.ipv6only?.bitCount == 1)
      #expect(layout.common.cookie?.bitCount == 64)
      #expect(layout.common.node?.bitCount == 64)
      #expect(layout.bucket?.fastReuseport.bitCount == 8)
      #expect(layout.bucket?.fastIPv6only.bitCount == 8)
      #expect(layout.files?.pids?.upidByteCount == 16)
      #expect(layout.bindHash != nil && layout.timeWaitBucket != nil && layout.namespaceInode != nil)
    }

    @Test("A kernel whose tables are not those of old has none of them")
    func notOld() throws {
      let layout = try BPFEvidence.withTypes(BPFEvidence.kernelTypes, atMost: 1 << 27) { (bytes) throws(BPFError) in
        try KernelLayout(parsing: bytes, isOld: true)
      }
      let kernel = kernelVersion()
      #expect((layout.udpTable == nil) == (kernel >= KernelVersion(major: 6, minor: 13)))
      let hasFamilies = kernel >= KernelVersion(major: 6, minor: 1) && kernel < KernelVersion(major: 6, minor: 8)
      #expect((layout.addressBucket != nil) == hasFamilies)
    }

    @Test("Mapped or read, from sysfs or from a copy, the types are the same")
    func waysToRead() throws {
      let mapped = try BPFEvidence().layout
      let read = try BPFEvidence.withTypes(BPFEvidence.kernelTypes, mayMap: false, atMost: 1 << 27) {
        (bytes) throws(BPFError) in
        try KernelLayout(parsing: bytes)
      }
      #expect(mapped == read)
      try withCopy(prefix: .max) { path in
        let copied = try BPFEvidence(typesAt: path).layout
        #expect(mapped == copied)
      }
    }

    @Test("This kernel's types cut short are an error, read from a file", arguments: [0, 1, 23, 24, 4096, 3_000_000])
    func truncated(length: Int) throws {
      try withCopy(prefix: length) { path in
        let error = #expect(throws: BPFError.self) { try BPFEvidence(typesAt: path) }
        let isTruncated = if case .malformedTypes(_, .truncated)? = error { true } else { false }
        #expect(isTruncated)
      }
    }

    @Test("This kernel's types with bits flipped are read or refused")
    func flipped() throws {
      let bytes = try types()
      let layout = try BPFEvidence().layout
      var random = SplitMix(state: 7)
      var same = 0
      for _ in 0..<40 {
        var damaged = bytes
        for _ in 0..<20 { damaged[Int(random.next() % UInt64(bytes.count))] ^= 1 << UInt8(random.next() % 8) }
        if let read = try? KernelLayout(parsing: damaged.span.bytes), read == layout { same += 1 }
      }
      #expect(same < 40)
    }

    @Test("A directory is no types file")
    func directory() {
      #expect(throws: BPFError.noTypes(path: "/sys", SystemError(rawValue: EISDIR))) {
        try BPFEvidence(typesAt: "/sys")
      }
    }

    private func types() throws -> [UInt8] {
      try BPFEvidence.withTypes(BPFEvidence.kernelTypes, atMost: 1 << 27) { (bytes) throws(BPFError) in
        bytes.withUnsafeBytes { Array($0) }
      }
    }

    private func withCopy(prefix: Int, _ body: (String) throws -> Void) throws {
      let bytes = try types().prefix(prefix)
      var path = Array("/tmp/portwhy-types-XXXXXX".utf8CString)
      let file = TestSocket(adopting: try call("mkstemp", mkstemp(&path)))
      let text = String(decoding: path.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
      defer { unlink(text) }
      let written = bytes.withUnsafeBytes { write(file.descriptor, $0.baseAddress, $0.count) }
      try #require(written == bytes.count)
      try body(text)
    }
  }
}
