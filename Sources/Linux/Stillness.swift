import CLinux
package import SocketModel

/// Where the kernel counts the sockets of a network namespace: /proc/net/sockstat and sockstat6, opened by a child, because
/// they lie in the directory of the process itself, whose lock any user can hold.
package struct SocketCounts: Sendable {
  private let ipv4: OpenFile
  /// nil where there is no IPv6.
  private let ipv6: OpenFile?

  /// Those of the network namespace of the calling thread; nil where they cannot be read.
  /// - Parameter files: who reads /proc for this look.
  package init?(_ files: ProcessFiles) {
    let (ipv4, ipv6) = ("self/net/sockstat", "self/net/sockstat6")
    let told = files.ask(ProcessQuestion(.named([]), [], rootFiles: [.opened(ipv4), .opened(ipv6)])).root
    guard let file = told.file(ipv4), told.file(ipv6) != nil || told.error(ipv6) == .noEntry else { return nil }
    (self.ipv4, self.ipv6) = (file, told.file(ipv6))
  }

  fileprivate func watch(_ transport: TransportProtocol) -> OpaquePointer? {
    portwhy_watch_stillness(transport == .udp, ipv4.descriptor, ipv6?.descriptor ?? -1)
  }
}

/// Whether sockets kept still while somebody looked at them (CLinux/stillness.h).
package enum Stillness {
  /// Does `look`, and tells whether no socket of this transport in the network namespace of `counts` was seen to move between
  /// the tables, to come or to go meanwhile. False, too, where that cannot be told: without a second processor, on a
  /// busy host, without `counts`.
  package static func during<Value, Failure>(
    _ transport: TransportProtocol = .tcp, _ counts: SocketCounts?, _ look: () throws(Failure) -> Value
  ) throws(Failure) -> (value: Value, isSure: Bool) {
    // The thread that reads them ends before they are closed.
    defer { withExtendedLifetime(counts) {} }
    let watch = counts?.watch(transport)
    do throws(Failure) {
      let value = try look()
      return (value, portwhy_was_still(watch))
    } catch {
      _ = portwhy_was_still(watch)
      throw error
    }
  }
}
