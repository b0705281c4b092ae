import SocketModel

/// The sockets by port, and each port's in the order of the chain, where the links among them make one chain.
///
/// The links were read one by one while sockets came and went, so they may contradict each other: then the sockets
/// stay in the order they were read, without a position.
func inChainOrder(_ records: [SocketRecord]) -> [BPFSocket] {
  let byPort = Dictionary(grouping: records, by: \.socket.local.port)
  return byPort.sorted { $0.key < $1.key }.flatMap { _, records in
    guard let chain = records.count == 1 ? records : chain(of: records) else { return records.map(\.socket) }
    return chain.enumerated().map { position, record in
      var socket = record.socket
      socket.chainPosition = position
      return socket
    }
  }
}

/// The records, each followed by the one it links to; nil unless that is one chain with a start, an end and all of them.
private func chain(of records: [SocketRecord]) -> [SocketRecord]? {
  var byAddress: [UInt64: SocketRecord] = [:]
  var starts = Set(records.map(\.address))
  for record in records {
    guard byAddress.updateValue(record, forKey: record.address) == nil, let next = record.next else { return nil }
    if next != 0, starts.remove(next) == nil { return nil }
  }
  guard starts.count == 1, var address = starts.first else { return nil }
  var chain: [SocketRecord] = []
  while address != 0 {
    guard let record = byAddress.removeValue(forKey: address), let next = record.next else { return nil }
    chain.append(record)
    address = next
  }
  return byAddress.isEmpty ? chain : nil
}
