import CLinux
package import SocketModel

/// Whether sockets kept still while somebody looked at them (CLinux/stillness.h).
package enum Stillness {
  /// Does `look`, and tells whether no socket of this transport in this thread's network namespace was seen to move between
  /// the tables, to come or to go meanwhile. False, too, where that cannot be told: without a second processor, on a
  /// busy host, without /proc.
  package static func during<Value, Failure>(
    _ transport: TransportProtocol = .tcp, _ look: () throws(Failure) -> Value
  ) throws(Failure) -> (value: Value, isSure: Bool) {
    let watch = portwhy_watch_stillness(transport == .udp)
    do throws(Failure) {
      let value = try look()
      return (value, portwhy_was_still(watch))
    } catch {
      _ = portwhy_was_still(watch)
      throw error
    }
  }
}
