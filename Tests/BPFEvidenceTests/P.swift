import Testing
@testable import BPFEvidence
@Test func placeholder() throws {
  let e = try BPFEvidence(); print(e.layout); for s in try e.tcpSockets(ports: 0...65535).prefix(5) { print(s) }
  for s in try e.udpSockets(ports: 0...65535).prefix(5) { print(s) }
  for s in try e.socketHolders(ports: 0...65535).prefix(5) { print(s) }
}
