@testable import Evidence

/// Makes BTF files: the sections of include/uapi/linux/btf.h, type by type.
struct BTFBuilder {
  struct Member {
    var name: String
    var type: UInt32
    var bitOffset: UInt32
    var bitFieldSize: UInt32 = 0
  }

  private(set) var types: [UInt8] = []
  private(set) var strings: [UInt8] = [0]
  private(set) var count: UInt32 = 0

  mutating func string(_ text: String) -> UInt32 {
    guard !text.isEmpty else { return 0 }
    defer { strings += Array(text.utf8) + [0] }
    return UInt32(strings.count)
  }

  private mutating func type(_ name: String, _ kind: UInt32, _ vlen: Int, _ last: UInt32, flag: Bool = false)
    -> UInt32
  {
    put(string(name), UInt32(vlen) | kind << 24 | (flag ? 1 << 31 : 0), last)
    count += 1
    return count
  }

  mutating func put(_ words: UInt32...) {
    for word in words { types += (0..<4).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }
  }

  mutating func integer(_ name: String, bytes: UInt32) -> UInt32 {
    defer { put(bytes * 8) }
    return type(name, 1, 0, bytes)
  }

  mutating func pointer(to target: UInt32) -> UInt32 { type("", 2, 0, target) }
  mutating func typedef(_ name: String, of target: UInt32) -> UInt32 { type(name, 8, 0, target) }
  mutating func volatile(_ target: UInt32) -> UInt32 { type("", 9, 0, target) }
  mutating func function(_ name: String, _ prototype: UInt32) -> UInt32 { type(name, 12, 1, prototype) }
  mutating func prototype() -> UInt32 { type("", 13, 0, 0) }

  mutating func array(of element: UInt32, count: UInt32) -> UInt32 {
    defer { put(element, element, count) }
    return type("", 3, 0, 0)
  }

  /// BTF_KIND_STRUCT, or 5 for a union; with bit fields if a member has a size.
  mutating func structure(_ name: String, bytes: UInt32, kind: UInt32 = 4, _ members: [Member]) -> UInt32 {
    let flag = members.contains { $0.bitFieldSize > 0 }
    let number = type(name, kind, members.count, bytes, flag: flag)
    for member in members {
      put(string(member.name), member.type, member.bitOffset | member.bitFieldSize << 24)
    }
    return number
  }

  /// The whole file; sections may be claimed larger than they are.
  func file(typesLength: UInt32? = nil, stringsLength: UInt32? = nil) -> [UInt8] {
    var file = BTFBuilder()
    file.types = [0x9f, 0xeb, 1, 0]
    let typesEnd = UInt32(types.count)
    file.put(24, 0, typesLength ?? typesEnd, typesEnd, stringsLength ?? UInt32(strings.count))
    return file.types + types + strings
  }
}

extension BTFBuilder {
  /// A small kernel: sockets with everything the programs need, half of it in anonymous unions and bit fields.
  static func smallKernel() -> BTFBuilder {
    var kernel = BTFBuilder()
    let byte = kernel.integer("unsigned char", bytes: 1)
    let half = kernel.integer("unsigned short", bytes: 2)
    let word = kernel.integer("unsigned int", bytes: 4)
    let long = kernel.integer("long", bytes: 8)
    let state = kernel.volatile(byte)
    let common = kernel.structure("ns_common", bytes: 24, [Member(name: "inum", type: word, bitOffset: 128)])
    let net = kernel.structure("net", bytes: 64, [Member(name: "ns", type: common, bitOffset: 64)])
    let netPointer = kernel.pointer(to: net)
    let possibleNet = kernel.typedef(
      "possible_net_t", of: kernel.structure("", bytes: 8, [Member(name: "net", type: netPointer, bitOffset: 0)]))
    let address6 = kernel.structure("in6_addr", bytes: 16, [Member(name: "u", type: long, bitOffset: 0)])
    let node = kernel.structure("hlist_node", bytes: 16, [Member(name: "next", type: netPointer, bitOffset: 0)])
    let addresses = kernel.structure(
      "", bytes: 8,
      [
        Member(name: "skc_daddr", type: word, bitOffset: 0),
        Member(name: "skc_rcv_saddr", type: word, bitOffset: 32),
      ])
    let pair = kernel.structure(
      "", bytes: 8, kind: 5,
      [Member(name: "skc_addrpair", type: long, bitOffset: 0), Member(name: "", type: addresses, bitOffset: 0)])
    _ = kernel.structure(
      "sock_common", bytes: 120,
      [
        Member(name: "", type: pair, bitOffset: 0), Member(name: "skc_dport", type: half, bitOffset: 96),
        Member(name: "skc_num", type: half, bitOffset: 112), Member(name: "skc_family", type: half, bitOffset: 128),
        Member(name: "skc_state", type: state, bitOffset: 144),
        Member(name: "skc_reuse", type: byte, bitOffset: 152, bitFieldSize: 4),
        Member(name: "skc_reuseport", type: byte, bitOffset: 156, bitFieldSize: 1),
        Member(name: "skc_net", type: possibleNet, bitOffset: 384),
        Member(name: "skc_v6_daddr", type: address6, bitOffset: 448),
        Member(name: "skc_v6_rcv_saddr", type: address6, bitOffset: 576),
        Member(name: "skc_cookie", type: long, bitOffset: 704),
        Member(name: "skc_node", type: node, bitOffset: 832),
      ])
    _ = kernel.structure(
      "upid", bytes: 16, [Member(name: "nr", type: word, bitOffset: 0)])
    _ = kernel.structure(
      "pid", bytes: 64,
      [
        Member(name: "level", type: word, bitOffset: 32),
        Member(name: "numbers", type: kernel.array(of: long, count: 1), bitOffset: 128),
      ])
    for name in ["tcp", "udp", "task_file"] { _ = kernel.function("bpf_iter_\(name)", kernel.prototype()) }
    return kernel
  }
}
