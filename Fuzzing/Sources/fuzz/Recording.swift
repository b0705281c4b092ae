@testable import Netlink
@testable import SocketModel
import Synchronization

/// What came over netlink, as a fuzzer makes it up: for each request the datagrams that answer it.
struct Recording {
  /// What one receive gives.
  enum Arrival {
    case datagram([UInt8], sender: UInt32)
    /// ENOBUFS: the kernel dropped some.
    case overrun
  }

  /// The port id of the socket that asks, in every seed.
  static let receiver: UInt32 = 0x1234

  var exchanges: [[Arrival]] = [[]]

  /// A byte each: 0 a datagram of the kernel, 1 one of another process, 2 an overrun, 3 the next request; and the
  /// datagram as a part.
  init(_ input: inout FuzzInput) {
    while !input.isEmpty {
      switch input.choice(of: 4) {
      case 0: append(.datagram(input.part(), sender: 0))
      case 1: append(.datagram(input.part(), sender: 77))
      case 2: append(.overrun)
      default: exchanges.append([])
      }
    }
  }

  private mutating func append(_ arrival: Arrival) { exchanges[exchanges.count - 1].append(arrival) }

  /// What the kernel itself sent for this request.
  func kernelDatagrams(_ exchange: Int) -> [[UInt8]] {
    guard exchanges.indices.contains(exchange) else { return [] }
    return exchanges[exchange].compactMap { arrival in
      if case .datagram(let bytes, sender: 0) = arrival { bytes } else { nil }
    }
  }
}

/// Plays a recording back and counts the requests.
final class Player: Sendable {
  private let recording: Recording
  private let asked = Mutex(0)

  init(_ recording: Recording) { self.recording = recording }

  var requests: Int { asked.withLock { $0 } }

  var transport: NetlinkTransport {
    NetlinkTransport { (_, handler) throws(NetlinkError) in
      let turn = self.asked.withLock { count in
        defer { count += 1 }
        return count
      }
      guard turn < self.recording.exchanges.count else { return }
      for arrival in self.recording.exchanges[turn] {
        switch arrival {
        case .overrun: throw .systemCall("recvfrom", .noBufferSpace)
        case .datagram(let bytes, let sender):
          let origin = DatagramOrigin(sender: sender, receiver: Recording.receiver)
          if try handler(bytes.span, origin) == .complete { return }
        }
      }
    }
  }
}

/// The messages of a datagram that the parsers accepted, walked by other means than theirs.
func plainMessages(_ datagram: [UInt8]) -> [(type: UInt16, flags: UInt16, payload: ArraySlice<UInt8>)] {
  var messages: [(type: UInt16, flags: UInt16, payload: ArraySlice<UInt8>)] = []
  var rest = datagram[...]
  while rest.count >= 16 {
    let header = Array(rest.prefix(16)).map(Int.init)
    let length = header[0] | header[1] << 8 | header[2] << 16 | header[3] << 24
    guard length >= 16 else { break }
    messages.append(
      (UInt16(header[4] | header[5] << 8), UInt16(header[6] | header[7] << 8), rest.prefix(length).dropFirst(16)))
    rest = rest.dropFirst((length + 3) / 4 * 4)
  }
  return messages
}
