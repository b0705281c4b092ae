@testable import SocketModel

@testable import Evidence

/// A byte for how much of the names is missing at the end, a part with records of a BPF iterator, then a BTF file.
func fuzzTypes(_ input: inout FuzzInput) {
  let missing = Int(input.byte())
  let records = input.part()
  var file = input.rest()
  if missing > 0, file.count >= 24 + missing {
    // str_len, the last of the header: what is left is a file that is right, but for the name that is cut.
    let length = file[20..<24].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) } &- UInt32(missing)
    for place in 0..<4 { file[20 + place] = UInt8(truncatingIfNeeded: length >> UInt32(place * 8)) }
    // A copy: the sanitizer knows where an allocation ends, not an array in it.
    file = Array(file.dropLast(missing))
  }
  let layout: KernelLayout
  do throws(BPFError) {
    layout = try KernelLayout(parsing: file.span.bytes, isOld: true)
  } catch {
    if case .malformedTypes(let offset, _) = error {
      require((0...file.count).contains(offset), "an error lies inside the file")
    }
    return
  }
  for field in [layout.common.port, layout.common.family, layout.common.state] {
    require(field.bitOffset >= 0 && field.bitCount > 0, "a field has a place and a size")
  }
  for number in layout.iterators.values { require(number > 0, "types are numbered from 1") }
  let size = RecordLayout(layout).byteCount
  require(size >= RecordLayout.common && size % 8 == 0, "a record has room for its fixed part")
  for transport in [TransportProtocol.tcp, .udp, nil] {
    var start = 0
    while start < records.count, start / max(size, 1) < 8 {
      guard let record = SocketRecord(records.span.bytes, at: start, layout, transport) else { break }
      require(records.count - start >= size, "a record lies inside of what was read")
      require(transport == nil || record.socket.transport == transport, "a record is of its walk's protocol")
      require(record.socket.local.address.family == record.socket.family, "an address of its family")
      start += size
    }
  }
}
