@testable import Netlink
import SocketModel
import Testing

/// A message of sock_diag as it announces a socket that has gone: header, then the start of `inet_diag_msg`.
private func announcement(port: UInt16) -> [UInt8] {
  let body: [UInt8] = [2, 7, 0, 0, UInt8(port >> 8), UInt8(port & 255)] + Array(repeating: 0, count: 66)
  let length = UInt8(16 + body.count)
  return [length, 0, 0, 0, 20, 0, 0, 0] + Array(repeating: 0, count: 8) + body
}

private let ports = ByTransport<ClosedRange<UInt16>>(tcp: 80...90, udp: 5353...5353)

private func counts(_ bytes: [UInt8]) -> Bool { announcesDestruction(bytes.span, of: ports) }

@Suite("Announcements of sockets that have gone")
struct SocketEventTests {
  @Test(
    "count where the port is one of those asked for",
    arguments: [(80, true), (90, true), (91, false), (79, false), (5353, true), (0, false)])
  func port(_ port: UInt16, _ expected: Bool) {
    #expect(counts(announcement(port: port)) == expected)
    let two = announcement(port: 1) + announcement(port: port)
    #expect(counts(two) == expected)
  }

  @Test("count where they are damaged: a look too many is better than one too few")
  func damaged() {
    let whole = announcement(port: 1)
    for length in 1..<whole.count { #expect(counts(Array(whole[..<length]))) }
    #expect(!counts([]))
  }

  @Test("that the kernel had to drop (ENOBUFS) count, and what is left is still read")
  func overrun() {
    var reads = [AnnouncementRead.overrun, .taken, .taken, .empty]
    #expect(drain(ports) { _ in reads.removeFirst() })
    #expect(reads.isEmpty)
  }

  @Test("of other ports do not count, however many, and are read to the end")
  func others() {
    var left = 900
    let isConcerned = drain(ports) { take in
      left -= 1
      take(announcement(port: 1).span)
      return left == 0 ? .empty : .taken
    }
    #expect(!isConcerned)
    #expect(left == 0)
  }

  @Test("that never end are not read for ever")
  func endless() {
    #expect(drain(ports) { _ in .taken })
    #expect(drain(ports) { _ in .overrun })
  }
}
