import SocketModel
import Testing

@testable import Evidence

@Suite struct BTFTests {
  private func layout(_ file: [UInt8]) throws(BPFError) -> KernelLayout {
    try KernelLayout(parsing: file.span.bytes)
  }

  @Test("Fields are found through unions without a name, typedefs and bit fields")
  func fields() throws {
    let layout = try layout(BTFBuilder.smallKernel().file())
    #expect(layout.common.port == BTFField(bitOffset: 112, bitCount: 16))
    #expect(layout.common.localAddress4 == BTFField(bitOffset: 32, bitCount: 32))
    #expect(layout.common.state == BTFField(bitOffset: 144, bitCount: 8))
    #expect(layout.common.reuse == BTFField(bitOffset: 152, bitCount: 4))
    #expect(layout.common.reuseport == BTFField(bitOffset: 156, bitCount: 1))
    #expect(layout.common.namespace == BTFField(bitOffset: 384, bitCount: 64))
    #expect(layout.common.localAddress6 == BTFField(bitOffset: 576, bitCount: 128))
    #expect(layout.common.node == BTFField(bitOffset: 832, bitCount: 64))
    #expect(layout.namespaceInode == BTFField(bitOffset: 192, bitCount: 32))
  }

  @Test("A field that the kernel lacks is nil, and a structure it lacks makes all its fields nil")
  func missing() throws {
    let layout = try layout(BTFBuilder.smallKernel().file())
    #expect(layout.common.ipv6only == nil)
    #expect(layout.common.boundDevice == nil)
    #expect(layout.bucket == nil)
    #expect(layout.bindHash == nil)
    #expect(layout.files == nil)
  }

  @Test("The iterators' functions are found by their numbers")
  func functions() throws {
    let kernel = BTFBuilder.smallKernel()
    let layout = try layout(kernel.file())
    #expect(layout.iterators == [.tcp: kernel.count - 4, .udp: kernel.count - 2, .taskFile: kernel.count])
  }

  @Test("A kernel without sockets says what is missing")
  func noSockets() {
    var kernel = BTFBuilder()
    _ = kernel.integer("int", bytes: 4)
    let file = kernel.file()
    #expect(throws: BPFError.missingFromKernel("struct sock_common")) { try layout(file) }
  }

  @Test("Type numbers beyond the first bookmarks are found")
  func manyTypes() throws {
    var kernel = BTFBuilder()
    for _ in 0..<1000 { _ = kernel.integer("padding", bytes: 4) }
    let late = kernel.structure("late", bytes: 8, [.init(name: "field", type: 777, bitOffset: 32)])
    let file = kernel.file()
    var reader = BTFFieldReader(try BTFIndex(file.span.bytes, structures: ["late"], functions: []))
    #expect(reader.index.structures == ["late": [Int(late)]])
    #expect(try reader.field("late", ["field"], file.span.bytes) == BTFField(bitOffset: 32, bitCount: 32))
    #expect(try reader.size(ofStructure: "late", file.span.bytes) == 8)
  }

  @Test("A type behind everything wanted is found when it is asked for")
  func typeBehind() throws {
    var kernel = BTFBuilder()
    _ = kernel.structure("early", bytes: 8, [.init(name: "field", type: 500, bitOffset: 0)])
    for _ in 0..<600 { _ = kernel.integer("padding", bytes: 2) }
    let file = kernel.file()
    var reader = BTFFieldReader(try BTFIndex(file.span.bytes, structures: ["early"], functions: []))
    #expect(try reader.field("early", ["field"], file.span.bytes)?.bitCount == 16)
  }

  @Test("Of two structures of one name the one that has the field counts")
  func twoDefinitions() throws {
    var kernel = BTFBuilder()
    let word = kernel.integer("int", bytes: 4)
    _ = kernel.structure("net", bytes: 8, [.init(name: "other", type: word, bitOffset: 0)])
    _ = kernel.structure("net", bytes: 8, [.init(name: "ns", type: word, bitOffset: 32)])
    let file = kernel.file()
    var reader = BTFFieldReader(try BTFIndex(file.span.bytes, structures: ["net"], functions: []))
    #expect(try reader.field("net", ["ns"], file.span.bytes)?.offset == 4)
  }

  @Test("Structures that contain themselves and typedefs of themselves end in an error")
  func loops() throws {
    var kernel = BTFBuilder()
    _ = kernel.structure(
      "sock_common", bytes: 8, [.init(name: "", type: 1, bitOffset: 0), .init(name: "", type: 1, bitOffset: 0)])
    let nested = kernel.file()
    #expect(throws: BPFError.self) { try layout(nested) }
    kernel = BTFBuilder()
    _ = kernel.typedef("loop", of: 1)
    _ = kernel.structure("sock_common", bytes: 8, [.init(name: "skc_num", type: 1, bitOffset: 0)])
    let typedef = kernel.file()
    #expect(throws: BPFError.self) { try layout(typedef) }
    kernel = BTFBuilder()
    _ = kernel.array(of: 1, count: 1)
    _ = kernel.structure("sock_common", bytes: 8, [.init(name: "skc_num", type: 1, bitOffset: 0)])
    let array = kernel.file()
    #expect(throws: BPFError.self) { try layout(array) }
  }

  @Test("A structure whose members all contain it does not take forever")
  func explosion() {
    var kernel = BTFBuilder()
    let members = [BTFBuilder.Member](repeating: .init(name: "", type: 2, bitOffset: 0), count: 2000)
    _ = kernel.structure("sock_common", bytes: 8, members)
    _ = kernel.structure(
      "", bytes: 8, [BTFBuilder.Member](repeating: .init(name: "x", type: 1, bitOffset: 0), count: 2000))
    let file = kernel.file()
    #expect(throws: BPFError.self) { try layout(file) }
  }

  @Test("Sections that reach beyond the file, another magic number and an unknown kind are named with their place")
  func defects() {
    let kernel = BTFBuilder.smallKernel()
    let long = kernel.file(typesLength: 1 << 30)
    #expect(throws: BPFError.malformedTypes(offset: 8, .truncated)) { try layout(long) }
    let strings = kernel.file(stringsLength: .max)
    #expect(throws: BPFError.malformedTypes(offset: 16, .truncated)) { try layout(strings) }
    var magic = kernel.file()
    magic.swapAt(0, 1)
    #expect(throws: BPFError.malformedTypes(offset: 0, .header)) { try layout(magic) }
    var kind = kernel.file()
    kind[24 + 7] = 31
    #expect(throws: BPFError.malformedTypes(offset: 24, .kind)) { try layout(kind) }
    #expect(throws: BPFError.malformedTypes(offset: 0, .truncated)) { try layout([]) }
  }

  @Test("A BTF file cut at any length is an error")
  func truncated() {
    let file = BTFBuilder.smallKernel().file()
    for length in 0..<file.count {
      let cut = Array(file.prefix(length))
      #expect(throws: BPFError.self) { try layout(cut) }
    }
  }

  @Test("A damaged BTF file is read or refused; whatever it says, programs are made or refused")
  func fuzz() {
    let file = BTFBuilder.smallKernel().file()
    var random = SplitMix(state: 42)
    var (read, refused) = (0, 0)
    for round in 0..<8000 {
      var damaged = file
      for _ in 0...Int(random.next() % 4) {
        let place = Int(random.next() % UInt64(damaged.count))
        switch random.next() % 3 {
        case 0: damaged[place] ^= 1 << UInt8(random.next() % 8)
        case 1: damaged[place] = [0, 1, 0x7f, 0x80, 0xff][Int(random.next() % 5)]
        default: damaged[place] = UInt8(truncatingIfNeeded: random.next())
        }
      }
      if round % 10 == 0 { damaged.removeLast(Int(random.next() % UInt64(damaged.count))) }
      do throws(BPFError) {
        let layout = try layout(damaged)
        read += 1
        _ = try? tcpProgram(layout, 80...80)
        _ = try? udpProgram(layout, 80...80, linked: true)
        _ = try? holderProgram(layout, 80...80)
        let zeros = [UInt64](repeating: 0, count: 128)
        _ = SocketRecord(zeros.span.bytes, at: 0, layout, .tcp)
      } catch {
        refused += 1
      }
    }
    #expect(read > 100)
    #expect(refused > 100)
  }

  @Test("A file that is not there is an error with its path, known before anything is read")
  func noFile() {
    let error = BPFError.noTypes(path: "/nonexistent/vmlinux", .noEntry)
    #expect(throws: error) { try BPFEvidence(typesAt: "/nonexistent/vmlinux") }
  }

  @Test("Of an old kernel the bucket by address and UDP's slots are found too, where they are as they were there")
  func oldKernel() throws {
    var kernel = BTFBuilder.smallKernel()
    let (half, word) = (kernel.integer("u16", bytes: 2), kernel.integer("u32", bytes: 4))
    let pointer = kernel.pointer(to: word)
    let hashes = kernel.array(of: half, count: 2)
    let handles = kernel.structure("", bytes: 8, kind: 5, [.init(name: "udp_table", type: pointer, bitOffset: 0)])
    let structures: [(String, UInt32, [BTFBuilder.Member])] = [
      (
        "sock_common", 32,
        [
          .init(name: "skc_u16hashes", type: hashes, bitOffset: 64),
          .init(name: "skc_prot", type: pointer, bitOffset: 128),
        ]
      ),
      ("proto", 128, [.init(name: "h", type: handles, bitOffset: 512)]),
      ("udp_hslot", 16, [.init(name: "count", type: word, bitOffset: 64)]),
      ("net", 16, [.init(name: "hash_mix", type: word, bitOffset: 96)]),
      ("inet_connection_sock", 64, [.init(name: "icsk_bind2_hash", type: pointer, bitOffset: 448)]),
      ("inet_timewait_sock", 64, [.init(name: "tw_tb2", type: pointer, bitOffset: 384)]),
      ("inet_bind2_bucket", 32, [.init(name: "family", type: half, bitOffset: 112)]),
    ]
    for (name, bytes, members) in structures { _ = kernel.structure(name, bytes: bytes, members) }
    let table: [BTFBuilder.Member] = [
      .init(name: "hash", type: pointer, bitOffset: 0), .init(name: "hash2", type: pointer, bitOffset: 64),
      .init(name: "mask", type: word, bitOffset: 128),
    ]
    var (old, new) = (kernel, kernel)
    _ = old.structure("udp_table", bytes: 24, table)
    _ = new.structure("udp_table", bytes: 32, table + [.init(name: "hash4", type: pointer, bitOffset: 192)])
    let (oldFile, newFile) = (old.file(), new.file())
    let layout = try KernelLayout(parsing: oldFile.span.bytes, isOld: true)
    #expect(layout.udpTable?.ofProtocol.offset == 64 && layout.udpTable?.slotByteCount == 16)
    #expect(layout.udpTable?.hashes == BTFField(bitOffset: 64, bitCount: 16))
    #expect(layout.addressBucket?.family.offset == 14 && layout.addressBucket?.ofTimeWait?.offset == 48)
    #expect(try KernelLayout(parsing: newFile.span.bytes, isOld: true).udpTable == nil)
    let unasked = try KernelLayout(parsing: oldFile.span.bytes)
    #expect(unasked.udpTable == nil && unasked.addressBucket == nil)
  }
}

/// Steele, Lea and Flood's splitmix64: the same numbers every time.
struct SplitMix {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
    return z ^ z >> 31
  }
}
